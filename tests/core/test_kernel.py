"""A drain lets submissions under way be stored before it closes the store, and waits for no dead one."""

import threading
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from core.errors import ShuttingDown
from core.gate import Gate
from core.jobs import State
from core.kernel import Kernel
from core.submission import Submission


class NotedGate(Gate):
    """Note how long somebody is ready to wait for the gate to be left, and tell that somebody does."""

    def __init__(self):
        super().__init__()
        self.patience = []
        self.waited_for = threading.Event()

    def is_left(self, patience):
        self.patience.append(patience)
        self.waited_for.set()
        return super().is_left(patience)


@pytest.fixture
def gate(bus):
    bus.gate = NotedGate()
    return bus.gate


@pytest.fixture
def kernel(bus, registry, clock, gate):
    """A kernel that runs nothing; how long its jobs took to end, in seconds, can be set."""
    drain = Mock(side_effect=lambda timeout: clock.advance(kernel.pool.takes) or True)
    pool = SimpleNamespace(drain=drain, status=list, takes=0.0)
    parts = {name: Mock() for name in ("janitor", "power", "deliveries", "metrics")}
    kernel = Kernel(bus=bus, registry=registry, pool=pool, clock=clock, **parts)
    return kernel


def test_a_submission_under_way_is_stored_before_the_store_is_closed(kernel, gate, monkeypatch):
    engine, order, inside = kernel.bus.engine, [], threading.Event()
    add = engine.add

    def slow(job):
        inside.set()
        gate.waited_for.wait(30)
        order.append("stored")
        return add(job)

    monkeypatch.setattr(engine, "add", slow)
    monkeypatch.setattr(engine, "close", lambda: (gate.waited_for.set(), order.append("closed")))
    jobs = []
    submitter = threading.Thread(target=lambda: jobs.append(kernel.bus.submit(Submission(action="slow"))))
    submitter.start()
    assert inside.wait(30)

    kernel.drain()
    submitter.join(30)

    assert order == ["stored", "closed"]
    assert engine.get(jobs[0].id).state is State.QUEUED


def test_a_submission_that_comes_when_the_drain_has_begun_is_refused(kernel):
    kernel.drain()

    with pytest.raises(ShuttingDown):
        kernel.bus.submit(Submission(action="slow"))


@pytest.mark.parametrize(("takes", "patience"), [(0.0, 10.0), (4.0, 6.0), (20.0, 0.0)])
def test_submissions_get_the_store_timeout_from_the_beginning_of_the_drain(kernel, gate, takes, patience):
    kernel.pool.takes = takes

    kernel.drain()

    assert gate.patience == [patience]


def test_a_submission_that_is_never_stored_does_not_hold_up_the_end(kernel, gate, monkeypatch):
    closed = []
    monkeypatch.setattr(kernel.bus.engine, "close", lambda: closed.append(True))
    kernel.pool.takes = kernel.store_timeout

    with gate.entered():
        kernel.drain()

    assert closed == [True]
