"""The scene in which the script of the sheet is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps_script.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A machine that is off, with a bus on it that knows one token, which signs."""
    with Scene(tmp_path) as made:
        yield made
