"""File systems that a test may fill, cut or break; where they cannot be had it skips, and fails in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.images import MAKERS, reason_against


@pytest.fixture(params=sorted(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of file system that the queue is promised to be safe on."""
    return mountable(str(request.param))


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A place for a queue, in memory if that is to be had, that users without rights can reach."""
    memory = Path("/dev/shm")
    top = Path(tempfile.mkdtemp(prefix="aafai-bus-", dir=memory if memory.is_dir() else None))
    top.chmod(0o755)
    yield top / "queue"
    shutil.rmtree(top)


@pytest.fixture
def ext4() -> str:
    return mountable("ext4")


def mountable(kind: str) -> str:
    """Return the kind of file system, once it is known that this machine can mount it."""
    reason = reason_against(kind)
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return kind
