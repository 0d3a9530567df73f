from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from cloud.gce import GceSwitch
from cloud.google_api import Google
from cloud.switches import CommandSwitch, SystemdSwitch, open_switches
from core.errors import ConfigError, SwitchFailed
from tests.cloud.programs import a_program


def test_none_is_no_switch_at_all() -> None:
    assert open_switches(["none"]) == []


def test_switches_are_opened_in_the_order_in_which_they_are_to_be_tried() -> None:
    switches = open_switches(["systemd", "command:/sbin/off --now 'in a hurry'"])

    assert switches == [SystemdSwitch(), CommandSwitch(("/sbin/off", "--now", "in a hurry"))]


def test_google_s_switches_ask_google_or_who_stands_for_it() -> None:
    switches = open_switches(["gcp:suspend", "gcp"], google="http://127.0.0.1:1")

    here = Google.at("http://127.0.0.1:1")
    assert switches == [GceSwitch(here, suspends=True), GceSwitch(here)]
    assert open_switches(["gcp"]) == [GceSwitch(Google())]


@pytest.mark.parametrize("spec", ["command:", "command:/sbin/off 'no end", "gcp:stop", "systemd:now", ""])
def test_what_is_no_switch_is_refused_by_the_name_of_the_setting(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"^AAFAI_POWER_SWITCH: "):
        open_switches([spec])


def test_a_command_is_run_with_its_arguments_as_they_stand(programs: Path, tmp_path: Path) -> None:
    off = a_program(programs, "off", f'printf "%s|" "$@" > {tmp_path}/arguments')

    CommandSwitch((str(off), "a b", "$HOME", ";")).off()

    assert (tmp_path / "arguments").read_text() == "a b|$HOME|;|"


def test_a_command_that_fails_is_reported_with_its_status_and_what_it_said(programs: Path) -> None:
    a_program(programs, "off", "echo 'not   today' >&2", "exit 3")

    with pytest.raises(SwitchFailed) as failure:
        CommandSwitch(("off",)).off()

    assert failure.value.message == "`off` ended with status 3, saying: not today."


def test_what_a_failing_command_says_is_cut(programs: Path) -> None:
    a_program(programs, "off", "while :; do echo xxxxxxxxxxxxxxx; [ $((n=n+1)) -lt 1000 ] || exit 1; done")

    with pytest.raises(SwitchFailed) as failure:
        CommandSwitch(("off",)).off()

    assert len(failure.value.message) < 600


def test_a_command_that_hangs_is_ended_with_its_children(programs: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    listening = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    a_program(programs, "off", f"exec 3> {tmp_path}/alive", "/bin/sleep 600 & wait")

    with pytest.raises(SwitchFailed, match=r"`off` did not end within 0\.5 s"):
        CommandSwitch(("off",), limit=0.5).off()

    os.set_blocking(listening, True)
    assert os.read(listening, 1) == b""  # Comes when nobody is left who could write.
    os.close(listening)


def test_a_child_that_outlives_the_command_does_not_hold_it_up(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "off", "sleep 600 &", f"echo $! > {tmp_path}/child", "echo done")

    CommandSwitch(("off",), limit=20).off()

    with suppress(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_command_that_is_not_there_is_told_of_before_it_is_needed(programs: Path) -> None:
    switch = CommandSwitch(("off",))

    problem = switch.check()

    assert problem == "command: there is no program 'off' to run; install it or give its full path."
    with pytest.raises(SwitchFailed, match="`off` could not be run: No such file or directory"):
        switch.off()


def test_a_command_that_is_there_has_no_problem(programs: Path) -> None:
    off = a_program(programs, "off")

    assert CommandSwitch(("off",)).check() is None
    assert CommandSwitch((str(off),)).check() is None


def test_systemd_is_asked_to_switch_off_without_asking_for_a_password(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "systemctl", f'echo "$@" > {tmp_path}/arguments')

    SystemdSwitch().off()

    assert (tmp_path / "arguments").read_text() == "--no-ask-password poweroff\n"


def test_what_systemd_refuses_is_reported(programs: Path) -> None:
    a_program(programs, "systemctl", "echo 'Interactive authentication required.'", "exit 1")

    with pytest.raises(SwitchFailed, match="Interactive authentication required"):
        SystemdSwitch().off()


def test_systemd_has_no_problem_when_logind_says_yes(programs: Path, tmp_path: Path) -> None:
    a_program(programs, "systemctl")
    a_program(programs, "busctl", f'echo "$@" > {tmp_path}/arguments', """echo 's "yes"'""")

    assert SystemdSwitch().check() is None
    assert (tmp_path / "arguments").read_text().endswith("org.freedesktop.login1.Manager CanPowerOff\n")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["""echo 's "challenge"'"""], """logind says "challenge" to this user's switching off"""),
        (["""echo 's "no"'"""], "install the polkit rule: sudo install -m 0644 aafai-bus-poweroff"),
        (["echo 'Failed to connect to bus: No such file'", "exit 1"], "Failed to connect to bus"),
    ],
)
def test_systemd_says_what_will_keep_it_from_switching_off(
    programs: Path, lines: list[str], problem: str
) -> None:
    a_program(programs, "systemctl")
    a_program(programs, "busctl", *lines)

    assert problem in (SystemdSwitch().check() or "")


def test_a_logind_that_does_not_answer_is_not_waited_for(programs: Path) -> None:
    a_program(programs, "systemctl")
    a_program(programs, "busctl", "exec /bin/sleep 600")

    problem = SystemdSwitch(limit=0.2).check() or ""

    assert problem.startswith("systemd: logind could not be asked whether this user may switch off")


@pytest.mark.parametrize(("present", "missing"), [("busctl", "systemctl"), ("systemctl", "busctl")])
def test_a_machine_without_systemd_is_told_so(programs: Path, present: str, missing: str) -> None:
    a_program(programs, present)

    problem = SystemdSwitch().check()

    assert problem == f"systemd: there is no {missing} here; install systemd or set AAFAI_POWER_SWITCH."
