from __future__ import annotations

from pathlib import Path

import pytest

from cloud.alarms import CommandAlarm, RtcwakeAlarm, open_alarm
from cloud.google_api import Google
from cloud.instance_schedule import InstanceSchedule
from cloud.scheduler_alarm import SchedulerAlarm
from core.errors import AlarmFailed, ConfigError
from core.machine import NoAlarm
from tests.cloud.programs import a_program
from tests.factories import NOW
from tests.fakes import FakeClock

DAY = 86_400.0
WHEN = 1_795_348_859.75  # 2026-11-22T12:00:59.75Z


def test_none_is_the_alarm_that_does_nothing() -> None:
    alarm = open_alarm("none")

    alarm.arm(WHEN)

    assert isinstance(alarm, NoAlarm)
    assert (alarm.name, alarm.check()) == ("none", None)


@pytest.mark.parametrize(
    ("spec", "alarm"),
    [
        ("rtcwake", RtcwakeAlarm()),
        ("command:/sbin/wake --at 'the time'", CommandAlarm(("/sbin/wake", "--at", "the time"))),
        ("gcp-scheduler:wake", SchedulerAlarm(Google(), "wake")),
        ("gcp-scheduler:us-east1/wake", SchedulerAlarm(Google(), "wake", "us-east1")),
        ("gcp-schedule:wake-up", InstanceSchedule(Google(), "wake-up")),
    ],
)
def test_alarms_are_opened_by_what_the_setting_says(spec: str, alarm: object) -> None:
    assert open_alarm(spec) == alarm
    assert open_alarm(spec).name == spec.partition(" ")[0].partition(":/")[0]


def test_google_may_be_elsewhere_and_the_machine_suspended() -> None:
    google = "http://127.0.0.1:1"

    alarm = open_alarm("gcp-scheduler:wake", google=google, resumes=True)

    assert alarm == SchedulerAlarm(Google(google, google, google, google), "wake", resumes=True)


@pytest.mark.parametrize(
    "spec", ["", "command:", "command:/sbin/wake 'no end", "gcp-scheduler:", "gcp-schedule", "rtc", "none:x"]
)
def test_what_is_no_alarm_is_refused_by_the_name_of_the_setting(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"^AAFAI_WAKE_ALARM: "):
        open_alarm(spec)


def test_a_command_is_told_the_moment_in_both_ways_and_never_late(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "wake", f'printf "%s|" "$@" >> {tmp_path}/told; echo >> {tmp_path}/told')
    alarm = CommandAlarm(("wake", "--zone", "a b"))

    alarm.arm(WHEN)
    alarm.arm(None)

    assert (tmp_path / "told").read_text().splitlines() == [
        "--zone|a b|arm|2026-11-22T12:00:59Z|1795348859|",
        "--zone|a b|disarm|",
    ]


def test_a_command_that_fails_or_is_not_there_sets_no_alarm(programs: Path) -> None:
    a_program(programs, "wake", "echo 'no   such clock'; exit 3")

    with pytest.raises(AlarmFailed, match=r"^`wake arm .*` ended with status 3, saying: no such clock\.$"):
        CommandAlarm(("wake",)).arm(WHEN)
    with pytest.raises(AlarmFailed, match="`sleep` could not be run: No such file or directory"):
        CommandAlarm(("sleep",)).arm(WHEN)


def test_a_command_that_hangs_is_ended(programs: Path) -> None:
    a_program(programs, "wake", "exec /bin/sleep 600")

    with pytest.raises(AlarmFailed, match=r"did not end within 0\.3 s"):
        CommandAlarm(("wake",), limit=0.3).arm(WHEN)


def test_a_command_that_is_not_there_is_told_of_before_it_is_needed(programs: Path) -> None:
    problem = CommandAlarm(("wake",)).check()

    assert problem == "command: there is no program 'wake' to run; install it or give its full path."


def test_a_command_that_is_there_has_no_problem(programs: Path) -> None:
    a_program(programs, "wake")

    assert CommandAlarm(("wake",)).check() is None


def test_rtcwake_sets_the_clock_of_the_machine_and_stops_nothing(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "rtcwake", f'echo "$@" >> {tmp_path}/told')
    alarm = RtcwakeAlarm()

    alarm.arm(WHEN)
    alarm.arm(None)

    assert (tmp_path / "told").read_text().splitlines() == [
        "--mode no --time 1795348859",
        "--mode disable",
    ]


def test_rtcwake_is_asked_whether_this_user_may_set_the_clock(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "rtcwake", f'echo "$@" >> {tmp_path}/told', "echo 'alarm: off'")

    assert RtcwakeAlarm().check() is None
    assert (tmp_path / "told").read_text() == "--mode show\n"


def test_a_clock_that_this_user_may_not_set_is_told_of(programs: Path) -> None:
    a_program(
        programs, "rtcwake", "echo 'rtcwake: /dev/rtc0: unable to find device: Permission denied' >&2; exit 1"
    )

    problem = RtcwakeAlarm().check() or ""

    assert problem.startswith(
        "rtcwake: `rtcwake --mode show` ended with status 1, saying: rtcwake: /dev/rtc0"
    )
    assert problem.endswith("this user may read and write: docs/power.md says how.")


def test_a_machine_without_rtcwake_is_told_so(programs: Path) -> None:
    assert "there is no program 'rtcwake' to run" in (RtcwakeAlarm().check() or "")


@pytest.mark.parametrize("away", [3_600.0, 400 * DAY])
def test_an_alarm_that_cannot_be_set_is_a_failure(programs: Path, away: float) -> None:
    a_program(programs, "rtcwake", "echo 'rtcwake: set rtc wake alarm failed: Invalid argument' >&2; exit 1")

    with pytest.raises(AlarmFailed, match="set rtc wake alarm failed") as failure:
        RtcwakeAlarm(clock=FakeClock()).arm(NOW + away)

    assert f"--time {NOW + away:.0f}`" in failure.value.message


@pytest.mark.parametrize(
    ("keeps", "away", "told"),
    [
        (400 * DAY, 365 * DAY, [365 * DAY]),
        (30 * DAY, 365 * DAY, [365 * DAY, 27 * DAY]),
        (DAY, 365 * DAY, [365 * DAY, 27 * DAY, 23 * 3_600.0]),
        (DAY, 7 * DAY, [7 * DAY, 23 * 3_600.0]),
        (DAY, 3_600.0, [3_600.0]),
    ],
)
def test_a_clock_that_keeps_no_far_moment_is_set_for_an_earlier_one(
    programs: Path, tmp_path: Path, keeps: float, away: float, told: list[float]
) -> None:
    a_program(
        programs, "rtcwake", f'echo "$4" >> {tmp_path}/told', f'test "$4" -le {NOW + keeps:.0f} || exit 1'
    )

    RtcwakeAlarm(clock=FakeClock()).arm(NOW + away)

    assert (tmp_path / "told").read_text().split() == [f"{NOW + moment:.0f}" for moment in told]
