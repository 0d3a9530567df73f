"""The wake alarm that Compute Engine rings: an instance schedule that is set anew for each start."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cronsim import CronSim

from cloud.google_api import Google
from cloud.instance_schedule import InstanceSchedule
from core.errors import AlarmFailed
from tests.cloud.fake_google import FakeGoogle, Fault
from tests.cloud.fake_metadata import ACCOUNT
from tests.cloud.refused import Refused
from tests.factories import NOW

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def alarm(google: FakeGoogle) -> InstanceSchedule:
    """The schedule `wake-up`, attached to the machine `bus`; Google's clocks show NOW."""
    google.now = NOW
    google.compute.add_schedule("wake-up", attach_to=google.compute.instance())
    return InstanceSchedule(Google.at(google.url), "wake-up")


def starts(google: FakeGoogle) -> list[float]:
    """Return when the schedule starts the machine from NOW on, before it expires."""
    policy = google.compute.resources["regions/europe-west1/resourcePolicies/wake-up"]
    schedule = policy["instanceSchedulePolicy"]
    expires = datetime.fromisoformat(schedule["expirationTime"]).timestamp()
    moments = CronSim(schedule["vmStartSchedule"]["schedule"], datetime.fromtimestamp(NOW, UTC))
    return [at for at in (next(moments).timestamp(), next(moments).timestamp()) if at <= expires]


@pytest.mark.parametrize("ahead", [300.0, HOUR, 40 * DAY, 364 * DAY])
def test_it_starts_the_machine_once_in_the_minute_of_the_moment(
    google: FakeGoogle, alarm: InstanceSchedule, ahead: float
) -> None:
    alarm.arm(NOW + ahead)

    assert starts(google) == [(NOW + ahead) // 60 * 60]


@pytest.mark.parametrize("when", [NOW + 365 * DAY + 300, NOW + 5_000 * DAY, 253_402_300_799.0])
def test_a_moment_after_a_year_starts_it_a_little_before_the_year_is_over(
    google: FakeGoogle, alarm: InstanceSchedule, when: float
) -> None:
    alarm.arm(when)

    (start,) = starts(google)
    assert 363 * DAY < start - NOW < 365 * DAY


def test_a_moment_that_is_over_is_set_for_the_next_minutes(
    google: FakeGoogle, alarm: InstanceSchedule
) -> None:
    alarm.arm(NOW - HOUR)

    (start,) = starts(google)
    assert 60 < start - NOW <= 120


def test_with_nothing_due_it_starts_nothing(google: FakeGoogle, alarm: InstanceSchedule) -> None:
    alarm.arm(NOW + HOUR)
    alarm.arm(None)

    assert starts(google) == []


def test_it_may_be_set_again_after_that(google: FakeGoogle, alarm: InstanceSchedule) -> None:
    alarm.arm(None)
    alarm.arm(NOW + HOUR)

    assert len(starts(google)) == 1


def test_a_schedule_that_can_be_set_has_no_problem_and_is_not_changed(
    google: FakeGoogle, alarm: InstanceSchedule
) -> None:
    assert alarm.check() is None
    assert google.calls() == ["GET wake-up", "POST testIamPermissions", "GET bus"]


def test_a_schedule_that_is_not_there_is_told_of_with_what_to_type(google: FakeGoogle) -> None:
    alarm = InstanceSchedule(Google.at(google.url), "wake-up")

    problem = alarm.check() or ""

    assert problem.startswith("gcp-schedule:wake-up: There is no instance schedule wake-up in europe-west1.")
    assert "gcloud compute resource-policies create instance-schedule wake-up" in problem
    with pytest.raises(AlarmFailed, match="There is no instance schedule wake-up"):
        alarm.arm(NOW + HOUR)


def test_a_schedule_that_is_not_the_machine_s_is_told_of(google: FakeGoogle) -> None:
    google.compute.add_schedule("wake-up")

    problem = InstanceSchedule(Google.at(google.url), "wake-up").check() or ""

    assert "wake-up is not attached to this machine. Attach it: gcloud compute instances" in problem


@pytest.mark.parametrize("when", [NOW + HOUR, None])
def test_a_schedule_that_is_not_the_machine_s_is_left_as_it_is_and_is_no_alarm(
    google: FakeGoogle, when: float | None
) -> None:
    before = str(google.compute.add_schedule("wake-up"))

    with pytest.raises(AlarmFailed, match="wake-up is not attached to this machine"):
        InstanceSchedule(Google.at(google.url), "wake-up").arm(when)

    assert str(google.compute.resources["regions/europe-west1/resourcePolicies/wake-up"]) == before


def test_a_missing_right_is_told_before_it_is_needed(google: FakeGoogle, alarm: InstanceSchedule) -> None:
    google.forbidden = {"compute.resourcePolicies.update"}

    problem = alarm.check() or ""

    assert f"{ACCOUNT} lacks compute.resourcePolicies.update. Grant it: gcloud iam roles create" in problem


@pytest.mark.parametrize(
    "right", ["resourcePolicies.get", "resourcePolicies.update", "regionOperations.get", "instances.get"]
)
def test_a_missing_right_is_a_failure_with_the_remedy(
    google: FakeGoogle, alarm: InstanceSchedule, right: str
) -> None:
    google.forbidden = {f"compute.{right}"}

    with pytest.raises(AlarmFailed, match=rf"Required 'compute\.{right}' permission") as failure:
        alarm.arm(NOW + HOUR)

    assert f"compute.{right}" in failure.value.hint


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"status": "RUNNING"}, "Google takes too long over it."),
        (
            {"status": "DONE", "error": {"errors": [{"code": "INVALID_USAGE", "message": "No."}]}},
            "INVALID_USAGE: No.",
        ),
        ({"status": "DONE", "error": "odd"}, "odd"),
    ],
)
def test_what_is_not_done_is_a_failure(
    google: FakeGoogle,
    alarm: InstanceSchedule,
    monkeypatch: pytest.MonkeyPatch,
    operation: dict[str, object],
    said: str,
) -> None:
    answer = {"name": "operation-1", "resourcePolicies": ["regions/r/resourcePolicies/wake-up"], **operation}
    monkeypatch.setattr(google, "answer", lambda _: answer)

    with pytest.raises(AlarmFailed, match=f"The instance schedule wake-up was not set: {said}"):
        alarm.arm(NOW + HOUR)


@pytest.mark.parametrize("fault", [Fault.CUT, Refused(502, "backendError")], ids=str)
@pytest.mark.parametrize("path", ["resourcePolicies", "/wait"])
def test_a_request_that_goes_astray_is_made_again(
    google: FakeGoogle, alarm: InstanceSchedule, path: str, fault: Fault | Refused
) -> None:
    google.fail(path, fault)

    alarm.arm(NOW + HOUR)

    assert len(starts(google)) == 1


def test_an_operation_is_waited_for_longer_than_an_answer_but_not_for_ever(google: FakeGoogle) -> None:
    google.compute.add_schedule("wake-up", attach_to=google.compute.instance())
    google.fail("/wait", Fault.HANG)

    with pytest.raises(AlarmFailed, match=r"it did not answer within 0\.9 s"):
        InstanceSchedule(Google.at(google.url, limit=0.3), "wake-up").arm(NOW + HOUR)
