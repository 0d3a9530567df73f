"""Row 37: who asks too often is told when to come back."""

from __future__ import annotations

import pytest

from api import rate
from api.errors import Refused
from api.rate import RateLimit
from tests.api.stage import Stage
from tests.fakes import FakeClock


def test_beyond_the_limit_the_answer_is_429_with_the_time_to_come_back(stage: Stage) -> None:
    client = stage.client(rate_limit=3)

    allowed = [client.get("/queues").status_code for _ in range(3)]
    refused = client.get("/queues")

    assert allowed == [200, 200, 200]
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"] == "20"
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("3", "0")


def test_wrong_tokens_are_limited_too(stage: Stage) -> None:
    client = stage.client(rate_limit=2, token="a-token-of-sixteen")

    assert [client.get("/queues").status_code for _ in range(3)] == [401, 401, 429]


def test_health_is_never_limited(stage: Stage) -> None:
    client = stage.client(rate_limit=1)

    assert [client.get("/health").status_code for _ in range(3)] == [200, 200, 200]


def test_the_bucket_refills_steadily_and_not_beyond_its_size() -> None:
    clock = FakeClock()
    limit = RateLimit(2, clock)
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


def test_each_address_has_its_own_bucket_and_there_are_not_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate, "_MOST_ADDRESSES", 2)
    limit = RateLimit(1, FakeClock())

    for address in ("a", "b", "c", "a"):
        limit.spend(address)

    assert len(limit._buckets) == 2


def test_without_a_limit_nobody_is_refused() -> None:
    limit = RateLimit(0, FakeClock())

    for _ in range(1000):
        limit.spend("a")
