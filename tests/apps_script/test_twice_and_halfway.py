"""Whatever happens twice or breaks off in the middle: no job is lost, and none is done twice."""

from __future__ import annotations

import pytest

from tests.apps_script.internet import Line
from tests.apps_script.scene import Scene
from tests.conftest import Effort

ROWS = [["url"], *([f"https://example.org/{n}"] for n in range(5))]


def test_an_answer_that_is_lost_makes_no_second_job(scene: Scene) -> None:
    script = scene.script(ROWS)
    scene.internet.fail("/inbound", Line.LOST)

    script.run("runSelectedRows")

    assert scene.internet.words().count("POST inbound") == 2
    assert len(scene.jobs()) == 5
    assert script.column("status") == ["pending"] * 5


def test_a_row_that_is_changed_after_a_lost_answer_takes_up_the_job_of_then(scene: Scene) -> None:
    scene.begin()
    script = scene.script(ROWS)
    scene.internet.fail("/inbound", Line.LOST)

    def changed() -> None:
        script.edit("cell", place=4, column=1, value="https://example.org/changed")

    script.meanwhile = [lambda: None] * 3 + [changed]
    script.run("runSelectedRows")

    assert len(scene.jobs()) == 5
    assert {row["job"] for row in script.rows()} == set(scene.jobs())


def test_a_run_that_google_ends_at_any_moment_is_taken_up_by_the_trigger(
    scene: Scene, effort: Effort
) -> None:
    """Every call of a service is a moment; after each the trigger brings the rows to their results."""
    whole = scene.script(ROWS).run("runSelectedRows")["calls"]
    assert whole > 40

    for moment in range(1, whole, effort(7, 1)):
        scene.end()
        before = len(scene.jobs())

        with_half_a_run(scene, moment)

        assert len(scene.jobs()) - before in (0, 5)


def with_half_a_run(scene: Scene, moment: int) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows", endsAt=moment)
    is_marked = all(row.get("key") for row in script.rows())

    script.wait(20)

    if is_marked:
        assert script.column("status") == ["pending"] * 5
        assert len({row["job"] for row in script.rows()}) == 5
    assert bool(script.triggers()) is is_marked


@pytest.mark.parametrize("moment", range(3, 60, 3))
def test_a_poll_that_google_ends_at_any_moment_is_made_good_by_the_next(scene: Scene, moment: int) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, "Hello")

    script.fire(endsAt=moment)
    script.wait(10)

    assert script.column("result") == ["Hello"] * 5
    assert script.triggers() == []


def test_a_trigger_that_fires_while_a_run_goes_on_leaves_the_work_to_it(scene: Scene) -> None:
    script = scene.script(ROWS)
    fired = []
    script.meanwhile = [lambda: fired.append(script.fire())] * 8

    script.run("runSelectedRows")

    assert {run["fetches"] for run in fired} == {0}
    assert len(scene.jobs()) == 5
    assert len(script.triggers()) == 1


def test_a_trigger_that_fires_twice_asks_once(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    inner = []
    script.meanwhile = [lambda: inner.append(script.fire())]

    outer = script.fire()

    assert (outer["fetches"], inner[0]["fetches"], inner[0]["error"]) == (1, 0, "")


def test_rows_that_somebody_else_marks_meanwhile_are_sent_along(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.select((2, 3))

    def another() -> None:
        script.select((4, 6))
        script.run("runSelectedRows")

    script.meanwhile = [lambda: None, another]
    script.run("runSelectedRows")
    script.wait(2)

    assert script.column("status") == ["pending"] * 5
    assert len(scene.jobs()) == 5
    assert len(script.triggers()) == 1


def test_a_row_that_is_copied_while_it_waits_shares_the_job_of_the_first(scene: Scene) -> None:
    script = scene.script(ROWS[:2])

    def copied() -> None:
        script.edit("copy row", place=2)
        script.edit("cell", place=3, column=1, value="https://example.org/changed")

    script.meanwhile = [copied]
    script.run("runSelectedRows")

    first, second = script.rows()
    assert first["job"] == second["job"]
    assert scene.params() == [{"url": "https://example.org/0"}]


def test_the_quota_of_requests_is_said_and_nothing_is_lost(scene: Scene) -> None:
    script = scene.script(ROWS)
    said = "Service invoked too many times for one day: urlfetch."
    script.evaluate(f"UrlFetchApp.fetch = () => {{ throw new Error('{said}') }}; null")

    script.run("runSelectedRows")

    assert said in script.column("status")[0]
    assert script.triggers() == [1]
