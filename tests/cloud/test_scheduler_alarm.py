"""The wake alarm that Cloud Scheduler rings: when it rings, whom it starts, every way in which it fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.google_api import Google
from cloud.moments import minute_to_set
from cloud.scheduler_alarm import SchedulerAlarm
from core.errors import AlarmFailed
from tests.cloud.fake_google import TOKEN, FakeGoogle, Fault
from tests.cloud.fake_metadata import ACCOUNT
from tests.cloud.refused import Refused
from tests.factories import NOW

HOUR, DAY, YEAR = 3600.0, 86_400.0, 365 * 86_400.0


@pytest.fixture
def alarm(google: FakeGoogle) -> SchedulerAlarm:
    """The alarm of the machine `bus`; Google's clocks show NOW."""
    google.now = NOW
    return SchedulerAlarm(Google.at(google.url), "wake")


def failure_of(alarm: SchedulerAlarm, when: float | None) -> AlarmFailed:
    """Set an alarm that is to fail; no secret is in what it says."""
    with pytest.raises(AlarmFailed) as failure:
        alarm.arm(when)
    assert TOKEN not in f"{failure.value.message} {failure.value.hint}"
    return failure.value


def test_the_first_alarm_makes_the_job_which_starts_the_machine(
    google: FakeGoogle, alarm: SchedulerAlarm
) -> None:
    alarm.arm(NOW + HOUR)
    google.compute.change("stop")
    google.compute.settle()
    google.scheduler.ring("wake")

    google.compute.settle()
    assert google.compute.instance()["status"] == "RUNNING"
    target = google.scheduler.job("wake")["httpTarget"]
    assert target["oauthToken"] == {"serviceAccountEmail": ACCOUNT}


def test_a_suspended_machine_is_resumed(google: FakeGoogle) -> None:
    SchedulerAlarm(Google.at(google.url), "wake", resumes=True).arm(NOW + HOUR)
    google.compute.change("suspend")
    google.compute.settle()
    google.scheduler.ring("wake")

    google.compute.settle()
    assert google.compute.instance()["status"] == "RUNNING"


def test_a_machine_that_is_to_be_suspended_from_now_on_needs_another_job(
    google: FakeGoogle, alarm: SchedulerAlarm
) -> None:
    alarm.arm(NOW + HOUR)

    failure = failure_of(SchedulerAlarm(Google.at(google.url), "wake", resumes=True), NOW + HOUR)

    assert failure.message.endswith("/instances/bus/start and not this machine's resume.")


def test_later_alarms_set_the_same_job(google: FakeGoogle, alarm: SchedulerAlarm) -> None:
    alarm.arm(NOW + HOUR)
    alarm.arm(NOW + 2 * HOUR)

    assert len(google.scheduler.jobs) == 1
    assert google.scheduler.next_ring("wake", NOW) == (NOW + 2 * HOUR) // 60 * 60


@pytest.mark.parametrize("ahead", [61.0, 300.0, HOUR, DAY, 31 * DAY, 364 * DAY])
def test_it_rings_in_the_minute_of_the_moment_and_never_after_it(
    google: FakeGoogle, alarm: SchedulerAlarm, ahead: float
) -> None:
    when = NOW + ahead + 60.0

    alarm.arm(when)

    rings = google.scheduler.next_ring("wake", NOW)
    assert rings is not None
    assert 0 <= when - rings < 60


@given(when=st.floats(0, 4e9), now=st.floats(1e9, 3e9))
def test_the_minute_that_is_set_lies_ahead_and_is_no_later_than_need_be(when: float, now: float) -> None:
    minute = minute_to_set(when, now)

    assert minute % 60 == 0
    assert 60 < minute - now < 365 * DAY
    assert minute <= max(when, now + 120)


@pytest.mark.parametrize("ahead", [365 * DAY + 300, 400 * DAY, 8_000 * YEAR])
def test_a_moment_after_a_year_rings_before_it_and_not_again_and_again(
    google: FakeGoogle, alarm: SchedulerAlarm, ahead: float
) -> None:
    alarm.arm(NOW + ahead)

    rings = google.scheduler.next_ring("wake", NOW)
    assert rings is not None
    assert 363 * DAY < rings - NOW < 365 * DAY


def test_a_moment_that_is_over_rings_at_once_and_not_in_a_year(
    google: FakeGoogle, alarm: SchedulerAlarm
) -> None:
    alarm.arm(NOW - HOUR)

    rings = google.scheduler.next_ring("wake", NOW)
    assert rings is not None
    assert 60 < rings - NOW <= 120


@pytest.mark.parametrize("wrong_by", [-DAY, DAY])
def test_google_s_clock_decides_and_not_the_machine_s(
    google: FakeGoogle, alarm: SchedulerAlarm, wrong_by: float
) -> None:
    # The machine's clock is wrong by a day, and so is the moment that it has worked out.
    google.now = NOW - wrong_by

    alarm.arm(NOW + HOUR)

    rings = google.scheduler.next_ring("wake", google.now)
    assert rings is not None
    assert 0 < rings - google.now < DAY + HOUR + 60


def test_with_nothing_due_the_job_is_paused_and_resumed_later(
    google: FakeGoogle, alarm: SchedulerAlarm
) -> None:
    alarm.arm(NOW + HOUR)
    alarm.arm(None)
    paused = google.scheduler.next_ring("wake", NOW)
    alarm.arm(NOW + HOUR)

    assert paused is None
    assert google.scheduler.next_ring("wake", NOW) is not None


def test_what_is_paused_or_was_never_there_is_not_paused_again(
    google: FakeGoogle, alarm: SchedulerAlarm
) -> None:
    alarm.arm(None)
    alarm.arm(NOW + HOUR)
    alarm.arm(None)
    alarm.arm(None)

    assert google.calls().count("POST pause") == 1


def test_a_job_of_another_region_is_found_there(google: FakeGoogle) -> None:
    alarm = SchedulerAlarm(Google.at(google.url), "wake", "us-central1")

    alarm.arm(NOW + HOUR)

    assert alarm.name == "gcp-scheduler:us-central1/wake"
    assert google.scheduler.job("wake", location="us-central1")["state"] == "ENABLED"


def test_a_job_that_does_something_else_is_left_alone(google: FakeGoogle, alarm: SchedulerAlarm) -> None:
    alarm.arm(NOW + HOUR)
    before = (google.scheduler.job("wake")["schedule"], "ENABLED")
    google.scheduler.job("wake")["httpTarget"]["uri"] = "https://example.com/backup"

    failure = failure_of(alarm, NOW + 2 * HOUR)

    assert failure.message == "The job wake calls https://example.com/backup and not this machine's start."
    assert failure.hint.endswith("gcloud scheduler jobs delete wake --location=europe-west1")
    assert failure_of(alarm, None).message == failure.message
    assert (google.scheduler.job("wake")["schedule"], google.scheduler.job("wake")["state"]) == before
    assert alarm.check() == f"gcp-scheduler:wake: {failure.message} {failure.hint}"


@pytest.mark.parametrize("state", ["DISABLED", "UPDATE_FAILED"])
def test_a_job_that_will_not_ring_is_no_alarm(google: FakeGoogle, alarm: SchedulerAlarm, state: str) -> None:
    alarm.arm(NOW + HOUR)
    google.scheduler.job("wake")["state"] = state

    failure = failure_of(alarm, NOW + HOUR)

    assert "The job wake was to be ENABLED for " in failure.message
    assert f"and is {state} for " in failure.message


@pytest.mark.parametrize("verb", ["get", "create", "update", "enable", "pause"])
def test_a_missing_right_is_told_with_all_that_the_alarm_needs(
    google: FakeGoogle, alarm: SchedulerAlarm, verb: str
) -> None:
    if verb != "create":
        alarm.arm(NOW + HOUR)
    if verb == "enable":
        alarm.arm(None)
    google.forbidden = {f"cloudscheduler.jobs.{verb}"}

    failure = failure_of(alarm, None if verb == "pause" else NOW + HOUR)

    assert f"Required 'cloudscheduler.jobs.{verb}' permission" in failure.message
    assert f"cloudscheduler.jobs.{verb}" in failure.hint
    assert f"Grant it to {ACCOUNT}: gcloud iam roles create aafaiBusAlarm" in failure.hint


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.HALF, Refused(503, "UNAVAILABLE")], ids=str)
def test_a_request_that_goes_astray_is_made_again(
    google: FakeGoogle, alarm: SchedulerAlarm, fault: Fault | Refused
) -> None:
    alarm.arm(NOW + HOUR)
    google.fail("jobs/wake", fault)

    alarm.arm(NOW + 2 * HOUR)

    assert google.scheduler.next_ring("wake", NOW) == (NOW + 2 * HOUR) // 60 * 60


@pytest.mark.parametrize("step", ["/jobs", "jobs/wake:resume"])
def test_what_was_done_although_nobody_said_so_is_found_done_the_next_time(
    google: FakeGoogle, alarm: SchedulerAlarm, step: str
) -> None:
    if step == "jobs/wake:resume":
        alarm.arm(NOW + HOUR)
        alarm.arm(None)
        google.fail(step, Fault.CUT_WHEN_DONE)
    else:
        # The first request for the job is the one that looks for it.
        google.fail(step, Refused(404, "NOT_FOUND"), Fault.CUT_WHEN_DONE)

    failure_of(alarm, NOW + 2 * HOUR)
    alarm.arm(NOW + 2 * HOUR)

    assert google.scheduler.next_ring("wake", NOW) == (NOW + 2 * HOUR) // 60 * 60


@pytest.mark.parametrize(
    "fault",
    [Fault.CUT, Fault.GARBAGE, Fault.FLOOD, Refused(500, "INTERNAL"), Refused(429, "RESOURCE_EXHAUSTED")],
    ids=str,
)
def test_an_interface_that_is_down_is_a_failure(
    google: FakeGoogle, alarm: SchedulerAlarm, fault: Fault | Refused
) -> None:
    google.fail("jobs/wake", fault, fault)

    failure_of(alarm, NOW + HOUR)

    assert google.scheduler.jobs == {}


@pytest.mark.parametrize("step", ["GET", "PATCH", "resume"])
def test_an_interface_that_hangs_is_not_waited_for(
    google: FakeGoogle, alarm: SchedulerAlarm, step: str
) -> None:
    alarm.arm(NOW + HOUR)
    alarm.arm(None)
    google.fail("wake:resume" if step == "resume" else "jobs/wake", Fault.HANG)

    failure = failure_of(SchedulerAlarm(Google.at(google.url, limit=0.5), "wake"), NOW + HOUR)

    assert "it did not answer within 0.5 s" in failure.message


def test_a_job_that_is_not_there_yet_is_no_problem(alarm: SchedulerAlarm) -> None:
    assert alarm.check() is None


def test_a_check_changes_nothing(google: FakeGoogle, alarm: SchedulerAlarm) -> None:
    alarm.arm(NOW + HOUR)
    before = google.calls()

    assert alarm.check() is None
    assert google.calls() == [*before, "GET wake"]


def test_an_alarm_that_rang_in_vain_is_told_of(google: FakeGoogle, alarm: SchedulerAlarm) -> None:
    alarm.arm(NOW + HOUR)
    google.scheduler.job("wake")["status"] = {"code": 7, "message": "Denied."}

    problem = alarm.check() or ""

    assert "When it last rang, the job could not start the machine (gRPC code 7 Denied.)." in problem


def test_without_a_metadata_server_there_is_no_alarm(google: FakeGoogle, alarm: SchedulerAlarm) -> None:
    google.fail("zone", Fault.CUT, Fault.CUT)

    assert "There is no metadata server here" in (alarm.check() or "")
    assert "There is no metadata server here" in failure_of(alarm, NOW + HOUR).message


@pytest.mark.parametrize(
    "document",
    [{"httpTarget": "x"}, {"httpTarget": None}, {"httpTarget": {"uri": "http://["}}, {"state": 7}, {}],
)
def test_a_job_of_an_unknown_shape_is_a_failure_and_no_crash(
    google: FakeGoogle, alarm: SchedulerAlarm, monkeypatch: pytest.MonkeyPatch, document: object
) -> None:
    monkeypatch.setattr(google, "answer", lambda _: document)

    failure_of(alarm, NOW + HOUR)
