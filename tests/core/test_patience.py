"""A slow store costs its callers ten seconds at most, and nobody else anything."""

import threading

import pytest

from core.bus import Bus
from core.errors import EngineUnavailable
from core.patience import Patience
from core.submission import Submission


class SlowStore:
    """An engine that stores only after it was released."""

    def __init__(self, engine):
        self.engine = engine
        self.begun = threading.Event()
        self.release = threading.Event()

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def add(self, job):
        self.begun.set()
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


@pytest.fixture
def patience(clock):
    return Patience(places=2, seconds=10, queue_seconds=1, clock=clock)


@pytest.fixture
def caller():
    """Let a thread do something, and leave none behind."""
    threads = []

    def call(work):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return threads[-1]

    yield call
    for thread in threads:
        thread.join(30)


@pytest.fixture
def waits(patience, caller):
    """Let so many threads wait for a store that does not answer; return their names in their order."""
    release = threading.Event()

    def wait(number, entered):
        with patience.waiting(f"job {number}"):
            entered.set()
            release.wait(30)

    def enter(*numbers):
        names = []
        for number in numbers:
            entered = threading.Event()
            names.append(caller(lambda number=number, entered=entered: wait(number, entered)).ident)
            assert entered.wait(30)
        return names

    yield enter
    release.set()


@pytest.fixture
def hanging(slow_bus, slow, patience, caller):
    """A thread whose submission waits for the store."""
    thread = caller(lambda: slow_bus.submit(ASKED, patience=patience))
    assert slow.begun.wait(30)
    yield thread
    slow.release.set()


ASKED = Submission(action="double", params={"number": 1})


def test_a_quick_store_is_waited_for(bus, heard, patience):
    job = bus.submit(ASKED, patience=patience)

    assert bus.get(job.id) == job
    assert heard == [("task.queued", job.id)]
    assert patience.overdue() == {}


def test_a_slow_store_is_not_waited_for_for_ever_and_the_job_is_named(hanging, patience, clock):
    clock.advance(9.9)
    early = patience.overdue()
    clock.advance(0.1)
    ((held_up, error),) = patience.overdue().items()

    assert (early, held_up, error.code) == ({}, hanging.ident, "outcome_unknown")
    assert error.job_id
    assert "10 seconds" in error.message


def test_a_job_that_is_stored_after_its_caller_has_gone_is_announced_once(
    hanging, slow, patience, clock, heard
):
    clock.advance(10)
    (error,) = patience.overdue().values()

    slow.release.set()
    hanging.join(30)

    assert heard == [("task.queued", error.job_id)]


def test_a_caller_is_given_up_once(waits, patience, clock):
    (thread,) = waits(1)
    clock.advance(10)

    found = [list(patience.overdue()) for _ in range(2)]

    assert found == [[thread], []]


def test_those_beyond_the_places_are_given_up_after_a_second(waits, patience, clock):
    threads = waits(1, 2, 3)

    clock.advance(1)
    soon = patience.overdue()
    clock.advance(9)
    late = patience.overdue()

    assert (list(soon), list(late)) == (threads[2:], threads[:2])
    assert soon[threads[2]].job_id == "job 3"


def test_who_comes_while_all_places_are_taken_by_slow_ones_is_refused_before_anything_is_stored(
    waits, patience, clock, bus, engine
):
    waits(1, 2)
    clock.advance(1)

    with pytest.raises(EngineUnavailable) as refusal:
        bus.submit(ASKED, patience=patience)

    assert refusal.value.code == "engine_unavailable"
    assert not any(engine.count().values())


def test_a_crowd_that_has_just_come_is_not_refused(waits, patience, clock):
    waits(1, 2)
    clock.advance(0.9)

    with patience.waiting("job 3"):
        assert patience.overdue() == {}


def test_a_place_is_free_again_when_the_store_has_answered(waits, patience, clock):
    waits(1)
    with patience.waiting("job 2"):
        clock.advance(1)

    with patience.waiting("job 3"):
        pass


def test_what_the_store_refuses_reaches_the_caller_and_frees_its_place(patience):
    with pytest.raises(EngineUnavailable, match="away"), patience.waiting("job 1"):
        raise EngineUnavailable("The disk is away.")

    assert not patience._waits
