from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

import config


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """The web application as it is served, its kernel not started."""
    from app import create_app

    settings = {
        "AAFAI_ENGINE": "memory:",
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
    }
    return create_app(config.Config.load(settings))
