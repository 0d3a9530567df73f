"""Google, faked on the loopback, and programs in place of the machine's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.fake_google import FakeGoogle


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """The fake, with one running machine."""
    with FakeGoogle() as fake:
        yield fake


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH, but for the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder
