"""Fixtures of the client's tests: no settings of whoever runs them, a bus, and a cloud to start one in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from client.__main__ import bus
from client.google_login import ACCESS_TOKEN
from client.settings import VARIABLES
from tests.client.cloud import Cloud
from tests.client.served import Call, Served


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that is empty, and an environment without settings."""
    for name in (*VARIABLES, ACCESS_TOKEN, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A bus."""
    with Served(tmp_path / "bus") as bus:
        yield bus


@pytest.fixture
def call(served: Served, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a command that speaks to the served bus."""
    monkeypatch.setenv("AAFAI_CLIENT_URL", served.url)
    return lambda *words: CliRunner().invoke(bus, [*map(str, words)], prog_name="bus")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A machine that is off, in a cloud."""
    with Cloud(tmp_path / "cloud") as made:
        yield made
