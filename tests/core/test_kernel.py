"""A drain lets submissions under way be stored before it closes the store, and waits for no dead one."""

import threading
from dataclasses import replace
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


@pytest.mark.parametrize("beside", [False, True])
def test_a_drain_has_the_machine_started_again_for_what_is_left_but_not_beside_a_server(kernel, beside):
    kernel = replace(kernel, beside=beside)

    kernel.drain()

    assert kernel.power.prepare_to_end.called is not beside


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


@pytest.fixture
def hurried(kernel):
    """Set when running jobs are put back without waiting for them."""
    hurried = threading.Event()
    kernel.pool.hurry, kernel.pool.stop_claiming = hurried.set, Mock()
    return hurried


def test_a_preempted_kernel_takes_nothing_in_and_puts_back_what_runs_after_a_while(kernel, hurried, clock):
    began = clock.monotonic()

    kernel.preempted()
    kernel.preempted()

    assert kernel.bus.gate.closed
    kernel.pool.stop_claiming.assert_called_once_with()
    kernel.power.prepare_to_end.assert_called_once_with(preempted=True)
    assert hurried.wait(30)
    assert clock.monotonic() - began == 15


def test_a_preemption_that_finds_all_drained_has_nothing_to_put_back(kernel, hurried):
    kernel.drain()

    kernel.preempted()

    for thread in threading.enumerate():
        if thread.name == "preempted":
            thread.join(30)
    assert not hurried.is_set()


def test_a_preemption_is_told_of(kernel, hurried):
    told = []
    kernel.bus.events.subscribe("test", "system.preempted", told.append)

    kernel.preempted()

    assert [message.payload for message in told] == [{"running": 0, "seconds": 15}]


def test_errands_are_done_in_their_order_before_the_actions_and_one_that_fails_is_told_of(kernel):
    done, told = [], []
    registry = Mock(actions={}, broken={}, load_found=lambda: done.append("actions"))
    kernel = replace(kernel, registry=registry, beside=True, auto_start=False)
    kernel.bus.events.subscribe("test", "system.warning", lambda event: told.append(event.payload["message"]))
    kernel.errands[:] = [
        lambda: done.append("doors"),
        Mock(side_effect=OSError("no room")),
        lambda: done.append("books"),
    ]

    kernel.start()

    assert kernel.ready.wait(30)
    kernel.drain()
    assert done == ["doors", "books", "actions"]
    assert "Jobs are run, but not all else is ready: OSError('no room')" in told
