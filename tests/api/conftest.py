"""Fixtures of the HTTP tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.api.stage import Stage, a_stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = a_stage(tmp_path)
    yield stage
    stage.kernel.pool.drain(0.0, grace=0.0)  # Threads of workers that it started would outlast the tests.


@pytest.fixture
def client(stage: Stage) -> FlaskClient:
    return stage.client()
