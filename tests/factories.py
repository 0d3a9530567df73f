"""Makers of nouns for tests: say only what the test is about."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

from core.ids import uuid7
from core.jobs import Job

NOW = 1_700_000_000.0

_count = itertools.count()


def an_id(at: float = NOW) -> str:
    """Return a job id of about that time, greater than those made before for the same time."""
    return uuid7(int(at * 1e9) + next(_count) * 1000, secrets.randbits(62))


def a_job(**fields: Any) -> Job:
    """Return a queued job, with any field overridden."""
    values: dict[str, Any] = {"id": an_id(), "action": "fakejob", "submitted_at": NOW}
    return Job(**(values | fields))
