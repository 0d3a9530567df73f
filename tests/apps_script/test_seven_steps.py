"""From the selected rows to their results: what is asked, in which order, and what stands in the cells."""

from __future__ import annotations

from tests.apps_script.internet import Line
from tests.apps_script.scene import Scene

HEAD = ["url"]


def pages(number: int) -> list[list[str]]:
    return [HEAD, *([f"https://example.org/{n}"] for n in range(number))]


def test_the_machine_is_started_and_all_rows_are_sent_in_one_request(scene: Scene) -> None:
    script = scene.script(pages(20))

    run = script.run("runSelectedRows")

    assert run["error"] == ""
    assert scene.internet.words() == [
        "GET bus",
        "POST start",
        f"GET {scene.internet.asked[2].url.rpartition('/')[2]}",
        "GET bus",
        "GET health",
        "POST inbound",
        "POST outbound",
    ]
    assert scene.params() == [{"url": f"https://example.org/{n}"} for n in range(20)]
    assert script.column("status") == ["pending"] * 20
    assert script.triggers() == [1]


def test_results_come_into_the_cells_with_one_request_a_poll(scene: Scene) -> None:
    script = scene.script(pages(3))
    script.run("runSelectedRows")
    first, second, third = scene.jobs()
    scene.stage.succeeded(first, {"text": "Hello", "size_bytes": 5, "warning": None})
    scene.stage.failed(second, "http_error", "The server answered with status 404.")
    scene.stage.progressed(third, 0.5, "loading the page")

    (poll,) = script.wait(1)

    assert (poll["error"], poll["fetches"]) == ("", 1)
    assert script.column("status") == ["complete", "failed", "running 50 % loading the page"]
    assert script.column("result") == ["Hello", "The server answered with status 404.", ""]
    assert script.triggers() == [1]


def test_the_trigger_deletes_itself_when_nothing_is_open(scene: Scene) -> None:
    script = scene.script(pages(2))
    script.run("runSelectedRows")
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, {"text": "Hello", "warning": "It was cut."})

    script.wait(1)
    later = script.wait(60)

    assert script.triggers() == []
    assert later == []
    assert script.toasts()[-1] == "2 complete."
    assert script.column("status") == ["complete: It was cut."] * 2


def test_a_poll_never_starts_the_machine_and_asks_google_no_more_than_once(scene: Scene) -> None:
    script = scene.script(pages(2))
    script.run("runSelectedRows")
    scene.end()
    script.wait(1)
    before = len(scene.internet.asked)

    polls = script.wait(30)

    assert "POST start" not in scene.internet.words()[before:]
    assert {poll["fetches"] for poll in polls} == {1}
    assert scene.google.compute.instance()["status"] == "TERMINATED"
    script.run("refreshNow")
    assert script.toasts()[-1] == "The machine is off. It is not started merely to ask. 2 on the way."


def test_jobs_that_went_on_with_a_later_boot_are_found_at_the_new_address(scene: Scene) -> None:
    script = scene.script(pages(1))
    script.run("runSelectedRows")
    scene.end()
    script.wait(1)
    scene.begin()
    scene.stage.succeeded(scene.jobs()[0], {"text": "Hello"})

    script.wait(10)

    assert script.column("result") == ["Hello"]
    assert script.triggers() == []


def test_500_jobs_cost_less_than_two_minutes_of_trigger_time(scene: Scene) -> None:
    script = scene.script(pages(500))
    script.run("runSelectedRows")
    jobs = scene.jobs()
    polls = []
    for part in range(0, 500, 5):
        for job_id in jobs[part : part + 5]:
            scene.stage.succeeded(job_id, {"text": f"Page {part} " * 100})
        polls += script.wait(1)
    polls += script.wait(30)

    seconds = sum(poll["seconds"] for poll in polls)
    fetches = sum(poll["fetches"] for poll in polls)
    print(f"500 jobs: {len(polls)} polls by the trigger, {fetches} requests, {seconds:.0f} s of its time")
    assert script.column("status") == ["complete"] * 500
    assert max(poll["fetches"] for poll in polls) == 1
    assert seconds < 120
    assert script.triggers() == []


def test_what_is_not_heard_of_for_a_day_is_given_up_and_refresh_asks_once_more(scene: Scene) -> None:
    script = scene.script(pages(1))
    script.run("runSelectedRows")

    script.wait(25 * 60)
    given_up, triggers = script.column("status"), script.triggers()
    scene.stage.succeeded(scene.jobs()[0], {"text": "Late"})
    script.run("refreshNow")

    assert given_up == ["given up: no end in 24 hours. Refresh asks once more."]
    assert triggers == []
    assert script.column("result") == ["Late"]


def test_a_day_of_polling_stays_within_the_minutes_of_triggers(scene: Scene) -> None:
    scene.settings["AAFAI_MAX_AGE_HOURS"] = "1000"
    script = scene.script(pages(20))
    script.run("runSelectedRows")

    polls = script.wait(24 * 60)

    assert sum(poll["seconds"] for poll in polls) < 15 * 60
    assert all(poll["error"] == "" for poll in polls)


def test_a_day_of_polls_each_minute_stays_within_what_properties_may_be_asked(scene: Scene) -> None:
    script = scene.script(pages(20))
    script.run("runSelectedRows")
    before = script.state()["accesses"]
    (_,) = script.wait(1)

    accesses = script.state()["accesses"] - before

    print(f"{accesses} accesses to properties a poll, {accesses * 24 * 60:,} a day")
    assert accesses * 24 * 60 < 40_000


def test_an_unreachable_host_does_not_eat_up_the_minutes_of_triggers(scene: Scene) -> None:
    scene.settings["AAFAI_MAX_AGE_HOURS"] = "1000"
    script = scene.script(pages(20))
    script.run("runSelectedRows")
    scene.internet.fail(":8000", *[Line.SILENT] * 10_000)

    polls = script.wait(24 * 60)

    assert max(script.state()["spent"]) < 90 * 60 * 1000
    assert max(poll["seconds"] for poll in polls) < 6 * 60
    assert all(poll["error"] == "" for poll in polls)
