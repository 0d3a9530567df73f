"""The systemd units: known to systemd to the last key, hardened, and at one with the programs they start."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from cloud import watchdog
from cloud.alarms import CommandAlarm
from cloud.switches import CommandSwitch
from config import Config
from core.machine import Timings
from tests.conftest import Evidence

ROOT = Path(__file__).parents[2]
SERVICES = ["aafai-bus.service", "aafai-bus-watchdog.service"]
UNITS = [*SERVICES, "aafai-bus-watchdog.timer"]

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and os.environ.get("CI") != "true",
    reason="systemd-analyze is missing: install the package systemd",
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder of their own, with programs that exist wherever the tests run."""
    for name in UNITS:
        text = (ROOT / name).read_text()
        (tmp_path / name).write_text(re.sub(r"(?m)^(ExecStart=)\S+", r"\1/bin/true", text))
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = ["systemd-analyze", *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def values(name: str, key: str) -> list[str]:
    """Return what a unit sets a key to, in order, with continued lines joined."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return re.findall(rf"(?m)^{key}=(.*)$", text)


def verified(folder: Path, names: Iterable[str]) -> str:
    """Return what systemd has to say against units. It exits with 0 on keys that it does not know."""
    return analyze(folder, "verify", "--man=no", *(f"./{name}" for name in names)).stderr


@needs_systemd
def test_systemd_has_nothing_to_say_against_the_units(installed: Path) -> None:
    assert verified(installed, UNITS) == ""


@needs_systemd
def test_a_mistyped_key_would_be_noticed(installed: Path) -> None:
    unit = installed / "aafai-bus.service"
    unit.write_text(unit.read_text().replace("ProtectClock=", "ProtectClocks="))

    assert "ProtectClocks" in verified(installed, UNITS)


@needs_systemd
def test_systemd_has_nothing_to_say_against_what_lets_the_bus_to_the_clock(installed: Path) -> None:
    (shown,) = re.findall(r"printf '(\[Service\].*)' \|", (ROOT / "docs/power.md").read_text())
    drop_in = installed / "aafai-bus.service.d" / "rtcwake.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(shown.replace("\\n", "\n"))

    rated = analyze(installed, "security", "--offline=true", "./aafai-bus.service").stdout

    assert verified(installed, UNITS) == ""
    assert "/dev/rtc0:rw" in rated


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_to_at_most_2_5_of_10(installed: Path, name: str, evidence: Evidence) -> None:
    rated = analyze(installed, "security", "--offline=true", "--threshold=25", f"./{name}")

    (exposure,) = re.findall(r"Overall exposure level for \S+ (\d+\.\d)", rated.stdout)
    evidence("P21", f"{name} rated by systemd", trials=1, exposure=exposure)
    assert rated.returncode == 0, rated.stdout


@needs_systemd
def test_a_service_without_its_hardening_would_be_noticed(installed: Path, evidence: Evidence) -> None:
    unit = installed / "aafai-bus.service"
    unit.write_text(unit.read_text().replace("CapabilityBoundingSet=", "#"))

    rated = analyze(installed, "security", "--offline=true", "--threshold=25", f"./{unit.name}")

    evidence("P21", "a unit without its bounds", trials=1, mutants=1, caught=int(rated.returncode != 0))
    assert rated.returncode != 0


def test_the_bus_keeps_what_the_sandbox_of_chromium_stands_on() -> None:
    name = "aafai-bus.service"

    assert set(" ".join(values(name, "RestrictNamespaces")).split()) >= {"user", "pid", "net"}
    assert set(" ".join(values(name, "SystemCallFilter")).split()) >= {"@system-service", "chroot", "seccomp"}
    assert "AF_UNIX" in values(name, "RestrictAddressFamilies")[0], "D-Bus switches the machine off"
    for forbidden in ("MemoryDenyWriteExecute", "PrivateUsers", "ProcSubset", "User=root"):
        assert values(name, forbidden) == []


@pytest.fixture
def config() -> Config:
    """What the bus makes of the settings in its unit."""
    return Config.load(dict(pair.split("=", 1) for pair in values("aafai-bus.service", "Environment")))


@pytest.fixture
def watched() -> argparse.Namespace:
    """What the watchdog makes of the options in its unit."""
    _, options = values("aafai-bus-watchdog.service", "ExecStart")[0].split("/cloud/watchdog.py ")
    return watchdog.parser().parse_args(shlex.split(options))


def test_systemd_waits_longer_for_the_bus_to_stop_than_the_bus_takes_to_drain(config: Config) -> None:
    (patience,) = values("aafai-bus.service", "TimeoutStopSec")

    assert int(patience) >= config.drain_timeout + config.kill_grace
    assert values("aafai-bus.service", "KillMode") == ["mixed"]


def test_the_bus_runs_in_production_and_may_write_where_its_settings_point(config: Config) -> None:
    (folders,) = values("aafai-bus.service", "StateDirectory")
    writable = [Path("/var/lib", folder) for folder in folders.split()]

    assert config.production
    assert config.warnings == ()
    assert config.queue_base_path in writable
    assert config.download_dir in writable
    assert config.runtime_dir == Path("/run", *values("aafai-bus.service", "RuntimeDirectory"))


def test_the_watchdog_reads_what_the_bus_writes_and_lets_it_stop_by_itself_first(
    config: Config, watched: argparse.Namespace
) -> None:
    assert watched.heartbeat == config.runtime_dir / "heartbeat"
    assert values("aafai-bus.service", "RuntimeDirectoryPreserve") == ["yes"]
    assert watched.max_uptime > config.max_uptime + config.drain_timeout + config.power_verify
    assert watched.command == [["systemctl", "poweroff"], ["systemctl", "--force", "poweroff"]]


def test_the_watchdog_is_more_patient_than_the_bus_may_be_silent_on_its_way_to_being_off(
    watched: argparse.Namespace,
) -> None:
    switch, alarm = CommandSwitch(("true",)), CommandAlarm(("true",))
    checks = switch.limit + alarm.limit
    silent = Timings().patience + alarm.limit + switch.limit + checks

    assert watched.stale_after > 2 * silent


def test_the_watchdog_starts_on_a_disk_that_is_full_or_read_only(watched: argparse.Namespace) -> None:
    name = "aafai-bus-watchdog.service"
    (runtime,) = values(name, "RuntimeDirectory")

    # systemd makes folders in /tmp for these two, and starts nothing when it cannot.
    assert values(name, "PrivateTmp") == values(name, "PrivateDevices") == []
    assert watched.memory.parent == Path("/run", runtime)
    assert values(name, "RuntimeDirectoryPreserve") == ["yes"]


def test_the_watchdog_first_looks_when_a_bus_that_starts_with_it_is_due_a_heartbeat(
    watched: argparse.Namespace,
) -> None:
    (first_look,) = values("aafai-bus-watchdog.timer", "OnActiveSec")

    assert watchdog._duration(first_look.removesuffix("in")) >= watched.stale_after


def test_the_polkit_rule_lets_the_user_of_the_service_switch_off_and_nothing_else() -> None:
    rule = (ROOT / "aafai-bus-poweroff.rules").read_text()
    actions = set(re.findall(r'"(org\.[^"]+)"', rule))

    assert re.findall(r'subject\.user === "([^"]+)"', rule) == values("aafai-bus.service", "User")
    assert {action.removeprefix("org.freedesktop.login1.power-off") for action in actions} == {
        "",
        "-multiple-sessions",
        "-ignore-inhibit",
    }
