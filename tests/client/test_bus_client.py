"""The Python client, at a bus that is on: what it asks, and how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client import streams
from client.bus_client import BusClient
from client.errors import BadInput, HungUp, JobFailed, NotInTime, Refused, Unreachable
from core import lifecycle
from core.errors import EngineUnavailable
from core.jobs import LogEntry
from examples.running import free_port
from tests.client.cloud import ScriptedClock
from tests.client.served import Served

UNKNOWN = "01935a7e-0000-7000-8000-000000000000"


@pytest.fixture
def bus(served: Served) -> BusClient:
    return BusClient(served.url, clock=ScriptedClock())


def test_a_job_is_submitted_with_its_options(served: Served, bus: BusClient) -> None:
    job_id = bus.submit("fakejob", {"delay_seconds": 1}, priority=7, batch="b")

    job = bus.get(job_id)
    assert (job["params"], job["priority"], job["batch"]) == ({"delay_seconds": 1}, 7, "b")


def test_the_same_key_is_the_same_job(bus: BusClient) -> None:
    assert bus.submit("fakejob", key="monday") == bus.submit("fakejob", key="monday")
    assert bus.submit("fakejob") != bus.submit("fakejob")


def test_many_jobs_are_submitted_in_their_order(served: Served, bus: BusClient) -> None:
    jobs = [{"action": "fakejob", "params": {"delay_seconds": seconds}} for seconds in (1, 2, 3)]

    ids = bus.submit_many(jobs, batch="three")

    assert [bus.get(one)["params"]["delay_seconds"] for one in ids] == [1, 2, 3]
    assert {job["batch"] for job in bus.list(batch="three")} == {"three"}


def test_a_job_is_watched_until_it_has_ended(served: Served, bus: BusClient) -> None:
    job_id = bus.submit("fakejob")
    seen: list[tuple[str, Any]] = []

    def watch(job: dict[str, Any]) -> None:
        seen.append((job["state"], (job["progress"] or {}).get("message")))
        if len(seen) == 1:
            served.stage.progressed(job_id, 0.5, "half of it")
        elif len(seen) == 2:
            ended = served.stage.engine.get(job_id)
            served.stage.engine.swap(ended, _succeeded(ended, served))

    job = bus.wait(job_id, watch=watch, every=0.01)

    assert seen == [("queued", None), ("running", "half of it"), ("succeeded", None)]
    assert job["result"] == {"waited": 1}


def _succeeded(job: Any, served: Served) -> Any:
    return lifecycle.succeeded(job, result={"waited": 1}, now=served.stage.clock.now())


def test_the_result_is_what_the_action_returned(served: Served, bus: BusClient) -> None:
    job_id = bus.submit("fakejob")
    served.stage.succeeded(job_id, {"waited": 3})

    assert bus.result(job_id) == {"waited": 3}


def test_a_job_that_failed_is_an_error_that_bears_it(served: Served, bus: BusClient) -> None:
    job_id = bus.submit("fakejob")
    served.stage.failed(job_id, "action_error", "ValueError: no")

    with pytest.raises(JobFailed, match=f"Job {job_id} failed: action_error: ValueError: no") as caught:
        bus.result(job_id)

    assert caught.value.job["state"] == "failed"


def test_a_job_that_was_cancelled_is_an_error_that_says_why(bus: BusClient) -> None:
    job_id = bus.submit("fakejob")
    bus.cancel(job_id, "not needed")

    with pytest.raises(JobFailed, match="was cancelled"):
        bus.result(job_id)


def test_a_job_that_takes_longer_than_one_waits_goes_on(served: Served) -> None:
    bus = BusClient(served.url)
    job_id = bus.submit("fakejob")

    with pytest.raises(NotInTime, match="has not ended within 50 ms; it goes on") as caught:
        bus.wait(job_id, within=0.05, every=0.01)

    assert caught.value.exit_status == 3
    assert f"bus get {job_id} --wait" in caught.value.hint
    assert served.stage.engine.get(job_id).state == "queued"


def test_a_bus_that_is_away_while_one_waits_is_waited_for(served: Served) -> None:
    told: list[str] = []
    bus = BusClient(served.url, clock=ScriptedClock(), tell=told.append)
    job_id = bus.submit("fakejob")
    served.stage.succeeded(job_id, 42)
    asked = iter([Unreachable("away"), HungUp("again")])
    ask = bus.get

    def get(*arguments: Any, **more: Any) -> Any:
        trouble = next(asked, None)
        if trouble is not None:
            raise trouble
        return ask(*arguments, **more)

    bus.get = get  # type: ignore[method-assign]

    assert bus.wait(job_id)["result"] == 42
    assert told == ["away Asking again in a while", "again Asking again in a while"]


def test_a_bus_at_a_url_that_nobody_can_start_is_unreachable_at_once() -> None:
    clock = ScriptedClock()
    bus = BusClient(f"http://127.0.0.1:{free_port()}", clock=clock)

    with pytest.raises(Unreachable):
        bus.submit("fakejob")

    assert clock.waits == []


def test_a_bus_that_is_full_is_asked_again_when_it_says(served: Served) -> None:
    clock = ScriptedClock()
    bus, admission = BusClient(served.url, clock=clock), served.stage.kernel.bus
    served.stage.engine.add = _full(served.stage.engine.add)  # type: ignore[method-assign]

    job_id = bus.submit("fakejob")

    assert admission.get(job_id).id == job_id
    assert clock.waits == [5.0]


def test_nobody_is_waited_for_longer_than_was_said(served: Served) -> None:
    clock = ScriptedClock()
    served.stage.engine.add = _full(served.stage.engine.add)  # type: ignore[method-assign]

    BusClient(served.url, clock=clock).submit("fakejob", within=3.0)

    assert clock.waits == [3.0]


def _full(add: Any) -> Any:
    failures = [EngineUnavailable("The disk hangs.")]

    def once(job: Any) -> Any:
        if failures:
            raise failures.pop()
        return add(job)

    return once


def test_what_the_bus_refuses_is_not_repeated(served: Served, bus: BusClient) -> None:
    with pytest.raises(Refused, match=r"params\.delay_seconds"):
        bus.submit("fakejob", {"delay_seconds": "soon"})

    assert served.asked == ["POST /inbound"]


def test_lists_go_on_over_their_pages_and_are_filtered(served: Served, bus: BusClient) -> None:
    ids = [served.job(priority=number % 10) for number in range(7)]
    bus.cancel(ids[0])

    waiting = bus.list(state=["queued"], limit=4)

    assert [job["job_id"] for job in waiting] == ids[:2:-1]
    assert len(bus.list()) == 7
    assert [job["job_id"] for job in bus.list(state=["cancelled"])] == [ids[0]]


def test_an_ended_job_is_run_again_with_other_params(served: Served, bus: BusClient) -> None:
    job_id = bus.submit("fakejob")
    served.stage.failed(job_id, "action_error", "no")

    again = bus.retry(job_id, {"delay_seconds": 2})

    assert (again["retried_from"], bus.get(again["job_id"])["params"]) == (job_id, {"delay_seconds": 2})


def test_files_are_saved_under_their_names(served: Served, bus: BusClient, tmp_path: Path) -> None:
    job_id = bus.submit("fakejob")
    folder = served.downloads / job_id / "images"
    folder.mkdir(parents=True)
    (folder / "a\xa0b 字.png").write_bytes(b"\x89PNG" * 50_000)
    (folder.parent / "page.txt").write_text("page")

    paths = bus.save(job_id, tmp_path / "out")

    assert [str(path.relative_to(tmp_path)) for path in paths] == ["out/images/a\xa0b 字.png", "out/page.txt"]
    assert paths[0].read_bytes() == b"\x89PNG" * 50_000
    assert {path.name for path in (tmp_path / "out").rglob("*")} == {"images", "a\xa0b 字.png", "page.txt"}


def test_one_file_is_saved_by_its_name_and_one_that_is_not_there_is_named(
    served: Served, bus: BusClient, tmp_path: Path
) -> None:
    job_id = bus.submit("fakejob")
    (served.downloads / job_id).mkdir(parents=True)
    for name in ("a.txt", "b.txt"):
        (served.downloads / job_id / name).write_text(name)

    assert [path.name for path in bus.save(job_id, tmp_path, "b.txt")] == ["b.txt"]
    with pytest.raises(BadInput, match=r"has no file 'c\.txt'"):
        bus.save(job_id, tmp_path, "c.txt")


def test_who_has_not_got_all_files_is_told(served: Served, tmp_path: Path) -> None:
    told: list[str] = []
    bus = BusClient(served.url, tell=told.append)
    job_id = bus.submit("fakejob")
    folder = served.downloads / job_id
    folder.mkdir(parents=True)
    for number in range(1_001):
        (folder / f"{number}.txt").touch()

    assert len(bus.files(job_id)) == 1_000
    assert told == [f"Job {job_id} has made more files than the 1,000 that are listed"]


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "a\x1b[2Jb", ""])
def test_a_name_that_leads_out_of_the_folder_is_not_saved(
    bus: BusClient, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "listed", lambda line, job_id: ([streams.JobFile(name, 1)], False))

    with pytest.raises(BadInput, match="it may lead anywhere"):
        bus.save(UNKNOWN, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(served: Served, bus: BusClient, tmp_path: Path) -> None:
    job_id = bus.submit("fakejob")
    (served.downloads / job_id).mkdir(parents=True)
    (served.downloads / job_id / "a.txt").write_text("a")
    (tmp_path / "out").write_text("a file and no folder")

    with pytest.raises(BadInput, match=r"out/a\.txt: "):
        bus.save(job_id, tmp_path / "out")


def test_the_log_is_read_to_its_end_and_followed_until_the_job_has_ended(
    served: Served, bus: BusClient
) -> None:
    job_id = bus.submit("fakejob")
    entries = [
        LogEntry(at=served.stage.clock.now(), level="info", source="action", message=f"line {number}")
        for number in range(1_500)
    ]
    served.stage.engine.log(job_id, entries)
    served.stage.succeeded(job_id, None)

    assert [one["message"] for one in bus.logs(job_id)] == [one.message for one in entries]
    assert [one["message"] for one in bus.logs(job_id, follow=True)] == [one.message for one in entries]


def test_the_machine_is_held_and_released(served: Served, bus: BusClient) -> None:
    held = bus.hold("2 hours", why="a demonstration")
    status = bus.power()
    bus.release()

    assert held["why"] == status["hold"]["why"] == "a demonstration"
    assert bus.power()["hold"] is None


def test_an_unknown_job_is_said_to_be_unknown(bus: BusClient) -> None:
    with pytest.raises(Refused, match=f"There is no job {UNKNOWN}") as caught:
        bus.get(UNKNOWN)

    assert caught.value.exit_status == 2


def test_a_job_id_cannot_become_another_path(bus: BusClient) -> None:
    with pytest.raises(Refused) as caught:
        bus.get("../../health?a=b")

    assert caught.value.code in {"no_such_path", "bad_job_id"}
