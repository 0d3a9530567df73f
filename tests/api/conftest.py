"""Fixtures of the HTTP tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.api.stage import Stage, a_stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_stage(tmp_path)


@pytest.fixture
def client(stage: Stage) -> FlaskClient:
    return stage.client()
