"""Which settings have the kernel hear of a preemption."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from config import Config
from tests.cloud.fake_google import FakeGoogle
from tests.fakes import FakeClock
from wiring_power import watch_preemption


@pytest.mark.parametrize(
    "settings",
    [
        {"AAFAI_POWER_SWITCH": "systemd; gcp"},
        {"AAFAI_POWER_SWITCH": "gcp:suspend"},
        {"AAFAI_WAKE_ALARM": "gcp-schedule:wake-up"},
    ],
)
def test_a_machine_that_google_stops_or_starts_hears_that_it_is_taken_away(
    google: FakeGoogle, settings: dict[str, str]
) -> None:
    told = threading.Event()
    kernel = SimpleNamespace(errands=[], clock=FakeClock(), preempted=told.set)

    watch_preemption(Config.load({"AAFAI_GOOGLE_URL": google.url, **settings}), kernel)
    for errand in kernel.errands:
        errand()
    google.metadata.set("instance/preempted", "TRUE")

    assert told.wait(20)


@pytest.mark.parametrize("settings", [{}, {"AAFAI_POWER_SWITCH": "systemd", "AAFAI_WAKE_ALARM": "rtcwake"}])
def test_nobody_else_is_asked_for_a_metadata_server(settings: dict[str, str]) -> None:
    kernel = SimpleNamespace(errands=[])

    watch_preemption(Config.load(settings), kernel)

    assert kernel.errands == []
