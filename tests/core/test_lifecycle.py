"""Every change a job can go through, and what it leaves untouched."""

import pytest

from core import lifecycle
from core.jobs import JobError, Progress, State
from tests.factories import NOW, a_job

BOOM = JobError(code="action_error", message="Boom.")


def a_running_job(**fields):
    return lifecycle.claimed(a_job(**fields), worker="worker-001", now=NOW, lease=60)


def test_a_claim_counts_the_attempt_before_it_starts():
    job = a_job(attempt=1, max_attempts=3, run_after=NOW - 5)

    claimed = lifecycle.claimed(job, worker="worker-001", now=NOW, lease=60)

    assert (claimed.state, claimed.attempt, claimed.worker) == (State.RUNNING, 2, "worker-001")
    assert (claimed.started_at, claimed.lease_until, claimed.run_after) == (NOW, NOW + 60, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: lifecycle.renewed(job, now=NOW, lease=60),
        lambda job: lifecycle.progressed(job, Progress(fraction=0.5)),
        lambda job: lifecycle.asked_to_cancel(job, reason="enough"),
        lambda job: lifecycle.succeeded(job, result=1, now=NOW),
        lambda job: lifecycle.failed(job, error=BOOM, now=NOW),
        lambda job: lifecycle.lost(job, now=NOW),
        lifecycle.given_back,
        lambda job: lifecycle.cancelled(job, now=NOW),
    ],
)
def test_every_change_raises_the_version_by_one(change):
    job = a_running_job()

    changed = change(job)

    assert changed.version == job.version + 1
    assert (changed.id, changed.params, changed.submitted_at) == (job.id, job.params, job.submitted_at)


def test_a_success_ends_the_job_with_its_result_and_without_the_error_of_an_earlier_attempt():
    job = a_running_job(error=BOOM, errors=(BOOM,))

    ended = lifecycle.succeeded(job, result={"waited": 1}, now=NOW + 3)

    assert (ended.state, ended.result, ended.ended_at) == (State.SUCCEEDED, {"waited": 1}, NOW + 3)
    assert ended.error is None
    assert ended.errors == (BOOM,)


def test_a_failure_with_attempts_left_is_queued_again_after_the_delay():
    job = a_running_job(max_attempts=2)

    again = lifecycle.failed(job, error=BOOM, now=NOW, delay=4)

    assert (again.state, again.run_after, again.attempt, again.worker) == (State.QUEUED, NOW + 4, 1, None)
    assert again.errors == (JobError(code="action_error", message="Boom.", attempt=1, at=NOW),)


def test_a_failure_of_the_last_attempt_is_the_dead_letter():
    job = a_running_job(max_attempts=1)

    dead = lifecycle.failed(job, error=BOOM, now=NOW, delay=4)

    assert (dead.state, dead.ended_at, dead.run_after) == (State.FAILED, NOW, None)
    assert dead.error is not None
    assert dead.error.code == "action_error"


@pytest.mark.parametrize("code", sorted(lifecycle.FINAL_CODES))
def test_a_failure_that_another_attempt_cannot_mend_ends_at_once(code):
    job = a_running_job(max_attempts=9)

    dead = lifecycle.failed(job, error=JobError(code=code, message="No."), now=NOW)

    assert dead.state is State.FAILED


def test_the_first_loss_runs_again_without_delay_and_the_second_waits():
    once = lifecycle.lost(a_running_job(max_attempts=3), now=NOW, delay=8)
    twice = lifecycle.lost(lifecycle.claimed(once, worker="w", now=NOW, lease=60), now=NOW, delay=8)

    assert (once.state, once.run_after) == (State.QUEUED, None)
    assert (twice.state, twice.run_after) == (State.QUEUED, NOW + 8)


def test_a_job_that_kills_its_worker_every_time_ends_as_a_dead_letter():
    job = a_job(max_attempts=3)

    for _ in range(3):
        job = lifecycle.lost(lifecycle.claimed(job, worker="w", now=NOW, lease=60), now=NOW)

    assert job.state is State.FAILED
    assert [error.code for error in job.errors] == ["lost"] * 3


def test_a_job_allowed_one_attempt_is_never_started_again_after_a_loss():
    job = a_running_job(max_attempts=1)

    assert lifecycle.lost(job, now=NOW).state is State.FAILED


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled():
    job = lifecycle.asked_to_cancel(a_running_job(), reason="enough")

    ended = lifecycle.lost(job, now=NOW)

    assert (ended.state, ended.cancel_reason) == (State.CANCELLED, "enough")


def test_a_job_given_back_by_a_drain_keeps_its_attempt():
    job = a_running_job(max_attempts=1)

    back = lifecycle.given_back(job)

    assert (back.state, back.attempt, back.errors) == (State.QUEUED, 0, ())


def test_running_again_makes_a_new_job_that_names_the_old_one():
    ended = lifecycle.failed(
        a_running_job(max_attempts=1, params={"n": 1}, labels={"a": "b"}), error=BOOM, now=NOW
    )

    again = lifecycle.resubmitted(ended, job_id="another", now=NOW + 9, params={"n": 2})

    assert (again.id, again.retried_from, again.params) == ("another", ended.id, {"n": 2})
    assert (again.state, again.attempt, again.version, again.errors) == (State.QUEUED, 0, 1, ())
    assert again.labels == {"a": "b"}
