"""What workers have done outlives the process, and costs no job anything."""

import json
import threading
from contextlib import suppress

import pytest

from core.clock import SystemClock
from core.event_bus import KERNEL, job_payload
from core.jobs import State
from core.roster import Roster, WorkDone
from tests.factories import NOW, a_job
from tests.fakes import FakeClock

NOTHING = {"registered_at": 0, "seen_at": 0, "completed": 0, "failed": 0, "seconds": 0}
DONE = {"worker": "worker-001-internal", "started_at": NOW}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "workers.json"


def end(events, event="completed", *, seconds=1.0, **fields):
    state = State.SUCCEEDED if event == "completed" else State.FAILED
    job = a_job(state=state, **{**DONE, "ended_at": NOW + seconds, **fields})
    events.publish(f"task.{event}", KERNEL, job_payload(job))


def test_a_worker_is_known_from_its_start(events, clock):
    roster = Roster(events, clock)

    roster.enlist("worker-002-internal")
    roster.enlist("worker-001-internal")

    assert list(roster.work()) == ["worker-001-internal", "worker-002-internal"]
    assert roster.work()["worker-001-internal"] == WorkDone(registered_at=NOW, seen_at=NOW)


def test_what_ends_is_counted_for_whoever_had_it(events, clock):
    roster = Roster(events, clock)
    roster.enlist("worker-001-internal")
    clock.advance(10)

    end(events, seconds=2.0)
    end(events, "failed", seconds=3.0)
    end(events, worker="worker-002-internal")

    work = roster.work()
    assert work["worker-001-internal"] == WorkDone(
        registered_at=NOW, seen_at=NOW + 10, completed=1, failed=1, seconds=5.0
    )
    assert work["worker-002-internal"].completed == 1


def test_what_nobody_had_and_what_others_publish_is_not_counted(events, clock):
    roster = Roster(events, clock)

    end(events, "failed", worker=None, started_at=None)
    events.publish("task.completed", "email-agent", {"worker": "me", "seconds": 1.0})
    events.publish("task.completed", KERNEL, {"job_id": "a"})

    assert roster.work() == {}


def test_it_is_read_again_at_the_next_start(events, clock, path):
    first = Roster(events, clock, path=path)
    first.enlist("worker-001-internal")
    end(events)
    first.stop()
    clock.advance(3600)

    second = Roster(events, clock, path=path)
    second.enlist("worker-001-internal")

    assert second.work()["worker-001-internal"] == WorkDone(
        registered_at=NOW, seen_at=NOW + 3600, completed=1, seconds=1.0
    )


def test_it_saves_by_itself_soon_after_there_is_something_new(events, path, monkeypatch):
    monkeypatch.setattr("core.roster._PERIOD", 0.0)
    saved = threading.Event()
    roster = Roster(events, SystemClock(), path=path)
    save = roster.save
    monkeypatch.setattr(roster, "save", lambda: (save(), saved.set()))
    roster.start()

    end(events)

    assert saved.wait(30)
    assert json.loads(path.read_text())["workers"]["worker-001-internal"]["completed"] == 1
    roster.stop()


def test_without_news_nothing_is_written(events, path):
    roster = Roster(events, SystemClock(), path=path)

    roster.start()
    roster.stop()

    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"workers": 3}',
        '{"workers": {"w": {}}}',
        *(
            json.dumps({"workers": {"w": {**NOTHING, name: wrong}}})
            for name, wrong in [
                ("registered_at", "x"),
                ("seen_at", 1e300),
                ("completed", -1),
                ("seconds", None),
            ]
        ),
        '{"workers": {"w": {"registered_at": NaN}}}',
    ],
)
def test_a_file_that_makes_no_sense_is_told_of_and_begun_anew(events, clock, path, heard, text):
    path.write_text(text)

    roster = Roster(events, clock, path=path)
    end(events)
    roster.save()

    assert ("system.warning", None) in heard
    assert json.loads(path.read_text())["workers"]["worker-001-internal"]["completed"] == 1


def test_a_file_that_cannot_be_written_is_told_of_and_harms_nobody(events, clock, path, heard):
    roster = Roster(events, clock, path=path)
    path.mkdir()

    end(events)
    roster.stop()

    assert ("system.warning", None) in heard
    assert roster.work()["worker-001-internal"].completed == 1


class Meeting(FakeClock):
    """A clock that is looked at by two at once if that is possible at all."""

    def __init__(self):
        super().__init__()
        self.both = threading.Barrier(2, timeout=0.2)

    def now(self):
        with suppress(threading.BrokenBarrierError):
            self.both.wait()
        return super().now()


def test_none_is_lost_when_two_end_at_once(events):
    roster = Roster(events, Meeting())

    threads = [threading.Thread(target=end, args=[events]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert roster.work()["worker-001-internal"].completed == 2
