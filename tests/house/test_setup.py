"""The scripts behind `make`: what a machine lacks they install, or say in one sentence how to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT

#: What the scripts themselves are made of.
SYSTEM = ("sh", "cat", "env", "mktemp", "rm", "grep", "dirname", "sed")


class Machine:
    """A machine that has only the programs it is given; apt-get and sudo write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.calls = folder / "calls"
        for name in SYSTEM:
            (self.programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")

    def has(self, name: str, script: str = "") -> Machine:
        """Add a program to the machine."""
        program = self.programs / name
        program.write_text(f"#!/bin/sh\necho {name} $* >>{self.calls}\n{script}\n")
        program.chmod(0o755)
        return self

    def run(self, *command: str, ci: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.programs), "CI": "true" if ci else "", "PYTHON": "python3"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def needs(self, *programs: str, ci: bool = False) -> subprocess.CompletedProcess[str]:
        return self.run("tools/system-packages", *programs, ci=ci)

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_installed_or_said_when_all_is_there(machine: Machine) -> None:
    machine.has("chromium").has("chromedriver").has("apt-get").has("id", "echo 0")

    ended = machine.needs("chromium", "chromedriver")

    assert (ended.returncode, ended.stdout, ended.stderr, machine.called) == (0, "", "", [])


def test_root_installs_only_what_is_missing_through_apt_get(machine: Machine) -> None:
    machine.has("chromium").has("apt-get").has("id", "echo 0")

    ended = machine.needs("chromium", "chromedriver", "systemd-analyze")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Installing system packages: chromium-driver systemd …\n"
    assert machine.called[-1].startswith("apt-get -qq install -y")
    assert machine.called[-1].endswith(" chromium-driver systemd")


def test_a_user_whom_sudo_asks_for_no_password_installs_through_sudo(machine: Machine) -> None:
    machine.has("id", "echo 1000").has("sudo", 'shift; "$@"').has("true").has("apt-get")

    ended = machine.needs("curl")

    assert ended.returncode == 0
    assert [call.split()[0] for call in machine.called][-2:] == ["sudo", "apt-get"]


def test_an_old_list_of_packages_is_fetched_anew_once(machine: Machine) -> None:
    fetched = machine.programs / "fetched"
    machine.has("id", "echo 0")
    machine.has("apt-get", f'case "$*" in *update) : >{fetched} ;; *) [ -e {fetched} ] ;; esac')

    ended = machine.needs("curl")

    steps = [call.split()[2] for call in machine.called if call.startswith("apt-get")]
    assert (ended.returncode, steps) == (0, ["install", "update", "install"])


@pytest.mark.parametrize(("ci", "status"), [(False, 0), (True, 1)])
def test_without_the_right_to_install_one_sentence_says_what_to_do(
    machine: Machine, ci: bool, status: int
) -> None:
    machine.has("id", "echo 1000").has("sudo", "exit 1").has("apt-get")

    ended = machine.needs("chromium", "curl", ci=ci)

    assert ended.returncode == status
    assert ended.stderr == "Missing here: chromium curl. Install with: sudo apt-get install chromium curl\n"
    assert not [call for call in machine.called if call.startswith("apt-get")]


def test_what_apt_get_said_is_shown_when_it_fails(machine: Machine) -> None:
    machine.has("id", "echo 0").has("apt-get", "echo 'E: no network'; exit 100")

    ended = machine.needs("curl", ci=True)

    assert ended.returncode == 1
    assert "E: no network" in ended.stderr
    assert ended.stderr.endswith("sudo apt-get install curl\n")


def test_a_machine_without_python_is_told_which_it_needs(machine: Machine, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "tools").mkdir(parents=True)
    for name in ("make-venv", "system-packages"):
        (checkout / "tools" / name).symlink_to(ROOT / "tools" / name)
    machine.has("id", "echo 1000")

    ended = machine.run(str(checkout / "tools/make-venv"))

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "aafai-bus needs Python 3.11 or newer with its venv module"
    )


def test_make_alone_lists_every_target_that_people_call() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for target in ("help", "setup", "demo", "serve", "test", "check", "bench", "requirements", "clean"):
        assert f"  make {target} " in listed
