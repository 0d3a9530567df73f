"""Row 37: who asks too often is told when to come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from api import rate
from api.errors import Refused
from api.rate import RateLimit, network_of
from tests.api.doors import Door
from tests.api.stage import Stage
from tests.fakes import FakeClock


def a_limit(per_minute: int, clock: FakeClock | None = None) -> RateLimit:
    return RateLimit(per_minute, clock or FakeClock(), whose="This address")


def limits(headers: object) -> tuple[str | None, ...]:
    return tuple(headers.get(f"RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))  # type: ignore[attr-defined]


def test_beyond_the_limit_the_answer_is_429_with_the_time_to_come_back(stage: Stage) -> None:
    client = stage.client(rate_limit=3)

    allowed = [client.get("/queues") for _ in range(3)]
    refused = client.get("/queues")

    assert [answer.status_code for answer in allowed] == [200, 200, 200]
    assert [limits(answer.headers) for answer in allowed] == [
        ("3", "2", "20"),
        ("3", "1", "40"),
        ("3", "0", "60"),
    ]
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert refused.json["message"] == "This address has sent more than 3 requests a minute."
    assert (refused.headers["Retry-After"], limits(refused.headers)) == ("20", ("3", "0", "60"))
    assert refused.headers.getlist("RateLimit-Limit") == ["3"]


def test_without_a_limit_nothing_is_said_of_one(stage: Stage) -> None:
    assert limits(stage.client().get("/queues").headers) == (None, None, None)


def test_wrong_tokens_are_limited_too(stage: Stage) -> None:
    client = stage.client(rate_limit=2, token="a-token-of-sixteen")

    assert [client.get("/queues").status_code for _ in range(3)] == [401, 401, 429]


def test_health_is_never_limited(stage: Stage) -> None:
    client = stage.client(rate_limit=1)

    assert [client.get("/health").status_code for _ in range(3)] == [200, 200, 200]


def test_nobody_guesses_tokens_faster_by_health(stage: Stage) -> None:
    client = stage.client(rate_limit=2, token="a-token-of-sixteen")

    def tells_all(text: str) -> bool:
        answer = client.get("/health", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 200
        return "workers" in answer.json

    assert [tells_all(guess) for guess in ("wrong", "a-token-of-sixteen")] == [False, True]
    assert not tells_all("a-token-of-sixteen")
    assert client.get("/queues").status_code == 429


def test_each_token_has_a_limit_of_its_own_whatever_address_it_comes_from(
    stage: Stage, tmp_path: Path
) -> None:
    door = Door(stage, tmp_path / "tokens.json", {"token_rate_limit": 3})
    usual, narrow, wide = door.token(), door.token(rate_limit=1), door.token(rate_limit=9)

    def ask(token: str) -> list[int]:
        answers = [
            door.ask("GET", "/queues", token, environ_overrides={"REMOTE_ADDR": f"10.0.0.{number}"})
            for number in range(4)
        ]
        return [answer.status_code for answer in answers]

    assert ask(usual) == [200, 200, 200, 429]
    assert ask(narrow) == [200, 429, 429, 429]
    assert ask(wide) == [200, 200, 200, 200]


def test_a_refused_token_is_told_that_it_is_its_own_limit(stage: Stage, tmp_path: Path) -> None:
    door = Door(stage, tmp_path / "tokens.json", {"rate_limit": 100})
    token = door.token(rate_limit=2)

    answers = [door.ask("GET", "/queues", token) for _ in range(3)]

    assert [limits(answer.headers)[:2] for answer in answers] == [("2", "1"), ("2", "0"), ("2", "0")]
    assert answers[2].json["message"] == "This token has sent more than 2 requests a minute."
    assert answers[2].headers["Retry-After"] == "30"


def test_a_request_beyond_its_scope_counts_too(stage: Stage, tmp_path: Path) -> None:
    door = Door(stage, tmp_path / "tokens.json")
    token = door.token(scopes=["read"], rate_limit=1)

    assert [door.submit(token).status_code for _ in range(2)] == [403, 429]


def test_the_bucket_refills_steadily_and_not_beyond_its_size() -> None:
    clock = FakeClock()
    limit = a_limit(2, clock)
    limit.spend("a")
    limit.spend("a")

    clock.advance(30)
    limit.spend("a")
    with pytest.raises(Refused):
        limit.spend("a")
    clock.advance(86_400)
    limit.spend("a")
    limit.spend("a")

    with pytest.raises(Refused):
        limit.spend("a")


def test_being_refused_costs_nothing() -> None:
    clock = FakeClock()
    limit = a_limit(1, clock)
    limit.spend("a")
    for _ in range(10):
        with pytest.raises(Refused):
            limit.spend("a")

    clock.advance(60)

    limit.spend("a")


def test_of_too_many_buckets_the_one_that_rested_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate, "_MOST_BUCKETS", 2)
    limit = a_limit(2)

    for address in ("a", "b", "a", "c"):
        limit.spend(address)

    assert list(limit._buckets) == ["a", "c"]
    with pytest.raises(Refused):
        limit.spend("a")


def test_without_a_limit_nobody_is_refused() -> None:
    limit = a_limit(0)

    for _ in range(1000):
        assert limit.spend("a") is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_whoever_has_a_whole_network_has_one_bucket(address: str, network: str) -> None:
    assert network_of(address) == network
