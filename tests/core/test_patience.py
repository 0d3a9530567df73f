"""A slow store costs its callers ten seconds at most, and nobody else anything."""

import threading

import pytest

from core.bus import Bus
from core.errors import EngineUnavailable, OutcomeUnknown
from core.patience import Patience
from core.submission import Submission


class SlowStore:
    """An engine that stores only after it was released."""

    def __init__(self, engine):
        self.engine = engine
        self.release = threading.Event()

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def add(self, job):
        self.release.wait(30)
        return self.engine.add(job)


@pytest.fixture
def slow(engine):
    store = SlowStore(engine)
    yield store
    store.release.set()


@pytest.fixture
def slow_bus(slow, bus, events, clock):
    return Bus(slow, bus.admission, events, clock, bus.gate)


ASKED = Submission(action="double", params={"number": 1})


def test_a_quick_store_is_waited_for(bus, heard):
    job = bus.submit(ASKED, patience=Patience(places=1, seconds=30))

    assert bus.get(job.id) == job
    assert heard == [("task.queued", job.id)]


def test_a_slow_store_is_not_waited_for_for_ever_and_the_job_is_named(slow_bus):
    with pytest.raises(OutcomeUnknown) as unknown:
        slow_bus.submit(ASKED, patience=Patience(places=1, seconds=0.01))

    assert unknown.value.job_id
    assert "0.01 seconds" in unknown.value.message


def test_a_job_that_is_stored_after_its_caller_has_gone_is_announced_once(slow_bus, slow, events):
    queued, announced = [], threading.Event()
    events.subscribe("test", "task.queued", lambda event: (queued.append(event), announced.set()))
    with pytest.raises(OutcomeUnknown) as unknown:
        slow_bus.submit(ASKED, patience=Patience(places=1, seconds=0.01))

    slow.release.set()

    assert announced.wait(30)
    assert [event.payload["job_id"] for event in queued] == [unknown.value.job_id]


def test_who_comes_while_all_places_are_taken_is_refused_before_anything_is_stored(slow_bus, engine):
    patience = Patience(places=1, seconds=0.01, queue_seconds=0.01)
    with pytest.raises(OutcomeUnknown):
        slow_bus.submit(ASKED, patience=patience)

    with pytest.raises(EngineUnavailable) as refusal:
        slow_bus.submit(ASKED, patience=patience)

    assert refusal.value.code == "engine_unavailable"


def test_a_place_is_free_again_when_the_store_has_answered(slow_bus, slow):
    patience = Patience(places=1, seconds=0.01, queue_seconds=30)
    with pytest.raises(OutcomeUnknown):
        slow_bus.submit(ASKED, patience=patience)
    slow.release.set()

    assert slow_bus.submit(ASKED, patience=Patience(places=1, seconds=30)).action == "double"
    assert patience.wait_for(lambda: 42, job_id="x", late=print) == 42


def test_what_the_store_refuses_reaches_the_caller(bus):
    def refuse():
        raise EngineUnavailable("The disk is away.")

    with pytest.raises(EngineUnavailable, match="away"):
        Patience(places=1, seconds=30).wait_for(refuse, job_id="x", late=print)
