"""Signed requests of a client whose clock is behind: at a bus that has just started, and for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.bus_client import BusClient
from client.errors import Refused
from core.tokens import SCOPES
from tests.client.cloud import ScriptedClock
from tests.client.served import Served, a_token

UNKNOWN = "01935a7e-0000-7000-8000-000000000000"


class Signing:
    """A bus that starts as it is asked for the first time, and a client that signs, so many seconds late."""

    def __init__(self, served: Served, token: str) -> None:
        self.served = served
        self.clock = ScriptedClock()
        self.told: list[str] = []
        self.bus = BusClient(served.url, token=token, signs=True, clock=self.clock, tell=self.told.append)

    def late(self, seconds: float) -> BusClient:
        self.clock.wall -= seconds
        return self.bus


@pytest.fixture
def signing(tmp_path: Path) -> Iterator[Signing]:
    keyring, text = a_token(tmp_path, signing=True, scopes=tuple(SCOPES))
    with Served(tmp_path / "bus", keyring=keyring) as served:
        yield Signing(served, text)


@pytest.mark.parametrize(
    "asked",
    [
        lambda bus, job: bus.get(job),
        lambda bus, job: bus.list(),
        lambda bus, job: bus.wait(job),
        lambda bus, job: bus.cancel(bus.submit("fakejob")),
        lambda bus, job: bus.retry(job),
        lambda bus, job: list(bus.logs(job)),
        lambda bus, job: list(bus.logs(job, follow=True)),
        lambda bus, job: bus.files(job),
        lambda bus, job: bus.actions(),
        lambda bus, job: bus.power(),
        lambda bus, job: bus.hold("1 hour"),
        lambda bus, job: bus.submit("fakejob"),
        lambda bus, job: bus.submit_many([{"action": "fakejob"}]),
    ],
)
def test_whatever_is_asked_in_the_first_second_of_a_bus_is_answered(signing: Signing, asked: Any) -> None:
    job = signing.served.job()
    signing.served.stage.succeeded(job, None)

    asked(signing.late(0.5), job)

    assert signing.clock.waits[0] == 1.0


def test_a_clock_that_is_behind_by_some_seconds_is_borne(signing: Signing) -> None:
    assert signing.late(5.0).list() == []
    assert signing.clock.waits == [5.0]


def test_a_submission_bears_a_clock_that_is_behind_by_a_minute_and_says_so(signing: Signing) -> None:
    bus = signing.late(60.0)

    with pytest.raises(Refused, match="was signed before the bus started"):
        bus.list()
    bus.submit("fakejob")

    assert signing.clock.waits == [60.0]
    assert signing.told == ["The request was signed before the bus started. Trying again in 1 minute"]


@pytest.mark.parametrize(("late", "said"), [(3_600, "3,600 seconds ago"), (-3_600, "3,600 seconds ahead")])
def test_a_clock_that_is_wrong_by_an_hour_is_told_at_once_with_the_clock_of_the_bus(
    signing: Signing, late: float, said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        signing.late(late).submit("fakejob")

    assert (caught.value.code, caught.value.exit_status) == ("signature_stale", 2)
    assert "the bus's clock says 2023-11-14T" in caught.value.hint
    assert signing.clock.waits == []
