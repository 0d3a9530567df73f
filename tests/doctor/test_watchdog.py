"""What the doctor says of the watchdog beside an installed bus, and of the wake alarm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import Config
from doctor import Flaw, Patient
from doctor import watchdog as checks
from doctor.power import check_alarm
from doctor.watchdog import check_watchdog
from tests.doctor.conftest import Ward
from tests.house.sources import ROOT

UNITS = ("aafai-bus.service", "aafai-bus-watchdog.service", "aafai-bus-watchdog.timer")
#: What the units of the project go with.
INSTALLED = {"AAFAI_RUNTIME_DIR": "/run/aafai-bus"}


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the installed units, on a machine whose systemd confirms everything."""
    folder = tmp_path / "units"
    folder.mkdir()
    for name in UNITS:
        shutil.copy(ROOT / name, folder)
    monkeypatch.setattr(checks, "UNITS", folder)
    answer(tmp_path, monkeypatch, "exit 0")
    return folder


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let systemctl be a program that does this."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    (bin_ / "systemctl").write_text(f"#!/bin/sh\n{script}\n")
    (bin_ / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")


def found(
    ward: Ward,
    settings: dict[str, str],
    *,
    check: Callable[[Patient], Iterator[Flaw | str]] = check_watchdog,
) -> list[str]:
    """Return the codes of the flaws and the other sentences."""
    ward.config = Config.load(INSTALLED | settings)
    return [seen.kind.code if isinstance(seen, Flaw) else seen for seen in check(ward.patient())]


@pytest.mark.usefixtures("units")
def test_a_watchdog_as_it_is_installed_is_well(ward: Ward, settings: dict[str, str]) -> None:
    assert found(ward, settings) == ["the watchdog runs"]


def test_a_bus_that_is_not_installed_needs_no_watchdog(
    ward: Ward, settings: dict[str, str], units: Path
) -> None:
    (units / "aafai-bus.service").unlink()
    (units / "aafai-bus-watchdog.timer").unlink()

    assert found(ward, settings) == []


@pytest.mark.parametrize("name", UNITS[1:])
def test_a_watchdog_of_which_half_is_missing_is_told(
    ward: Ward, settings: dict[str, str], units: Path, name: str
) -> None:
    (units / name).unlink()

    assert found(ward, settings) == ["watchdog_missing"]


@pytest.mark.parametrize(
    "script",
    ["echo inactive; exit 3", '[ "$1" = is-enabled ] && { echo disabled; exit 1; }; exit 0'],
    ids=["not active", "not enabled"],
)
def test_a_watchdog_that_does_not_run_is_told(
    ward: Ward,
    settings: dict[str, str],
    units: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
) -> None:
    answer(units.parent, monkeypatch, script)

    assert found(ward, settings) == ["watchdog_asleep"]


@pytest.mark.usefixtures("units")
def test_a_machine_without_systemd_has_no_watchdog_that_runs(
    ward: Ward, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert found(ward, settings) == ["watchdog_asleep"]


@pytest.mark.parametrize(
    ("settings_of_the_bus", "code"),
    [
        ({"AAFAI_RUNTIME_DIR": "/run/elsewhere"}, "watchdog_blind"),
        ({"AAFAI_MAX_UPTIME": "13 hours"}, "watchdog_hasty"),
        ({"AAFAI_BEFORE_STOP": "true; true", "AAFAI_BEFORE_STOP_LIMIT": "1 hour"}, "watchdog_hasty"),
    ],
)
@pytest.mark.usefixtures("units")
def test_a_watchdog_that_would_end_a_bus_that_is_well_is_told(
    ward: Ward, settings: dict[str, str], settings_of_the_bus: dict[str, str], code: str
) -> None:
    assert found(ward, settings | settings_of_the_bus) == ["the watchdog runs", code]


def test_somebody_elses_watchdog_is_left_alone(ward: Ward, settings: dict[str, str], units: Path) -> None:
    (units / "aafai-bus-watchdog.service").write_text(
        "[Service]\nExecStart=/usr/local/bin/mine --heartbeat\n"
    )

    assert found(ward, settings) == ["the watchdog runs"]


@pytest.mark.parametrize(
    ("alarm", "said"),
    [
        ("none", "no wake alarm: what is due later waits until somebody starts the machine"),
        ("command:true", "the wake alarm command may be set"),
        ("command:/no/such/program", "wake_alarm_refused"),
    ],
)
def test_the_wake_alarm_is_asked_whether_it_will_work(
    ward: Ward, settings: dict[str, str], alarm: str, said: str
) -> None:
    assert found(ward, settings | {"AAFAI_WAKE_ALARM": alarm}, check=check_alarm) == [said]
