from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.context import JobContext
from core.errors import Cancel
from tests.fakes import FakeClock


class Recorder:
    """A channel that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.stop: str | None = None

    def log(self, level: str, message: str) -> None:
        self.said.append((level, message))

    def progress(self, fraction: float | None, message: str) -> None:
        self.said.append((fraction, message))

    def stop_wished(self) -> str | None:
        return self.stop

    def submit(self, action: str, params: Mapping[str, Any], options: Mapping[str, Any]) -> str:
        self.said.append((action, params, options))
        return "its id"


@pytest.fixture
def channel() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def job(channel: Recorder, clock: FakeClock, tmp_path: Path) -> JobContext:
    return JobContext(
        job_id="j1",
        attempt=2,
        params={"n": 1},
        folder=tmp_path / "downloads" / "j1",
        channel=channel,
        clock=clock,
        deadline=clock.monotonic() + 60,
    )


def test_it_tells_which_attempt_of_which_job_this_is(job: JobContext) -> None:
    assert (job.id, job.attempt, job.params) == ("j1", 2, {"n": 1})


def test_each_level_has_a_word_of_its_own(job: JobContext, channel: Recorder) -> None:
    job.debug("a")
    job.info("b")
    job.warning("c")
    job.error("d")

    assert channel.said == [("debug", "a"), ("info", "b"), ("warning", "c"), ("error", "d")]


def test_a_level_that_does_not_exist_is_an_error(job: JobContext) -> None:
    with pytest.raises(ValueError, match="level must be one of debug, info, warning, error, not 'loud'"):
        job.log("loud", "x")


@pytest.mark.parametrize(("fraction", "told"), [(0.5, 0.5), (-1, 0.0), (7, 1.0), (None, None)])
def test_progress_stays_between_nothing_and_all(
    job: JobContext, channel: Recorder, fraction: float | None, told: float | None
) -> None:
    job.progress(fraction, "half way")

    assert channel.said == [(told, "half way")]


def test_it_goes_on_until_it_is_told_to_stop(job: JobContext, channel: Recorder) -> None:
    assert not job.cancelled
    job.check_cancelled()

    channel.stop = "the user asked"

    assert job.cancelled
    with pytest.raises(Cancel, match="the user asked"):
        job.check_cancelled()


def test_the_remaining_time_runs_down_to_nothing(job: JobContext, clock: FakeClock) -> None:
    assert job.remaining == 60.0
    clock.advance(50)
    assert job.remaining == 10.0
    clock.advance(50)
    assert job.remaining == 0.0


def test_without_a_limit_no_time_remains_to_be_told(
    channel: Recorder, clock: FakeClock, tmp_path: Path
) -> None:
    job = JobContext(job_id="j", attempt=1, params={}, folder=tmp_path, channel=channel, clock=clock)

    assert job.remaining is None


def test_the_folder_for_files_is_made_when_it_is_asked_for(job: JobContext, tmp_path: Path) -> None:
    assert not (tmp_path / "downloads").exists()

    assert job.files == tmp_path / "downloads" / "j1"
    assert job.files.is_dir()


def test_it_submits_other_jobs(job: JobContext, channel: Recorder) -> None:
    assert job.submit("other", {"a": 1}, priority=9) == "its id"
    assert job.submit("other") == "its id"
    assert channel.said == [("other", {"a": 1}, {"priority": 9}), ("other", {}, {})]
