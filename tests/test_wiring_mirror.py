"""The mirror of an assembled kernel: mail in, results out, no secret on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import Config
from core.kernel import Kernel
from core.submission import Submission
from wiring import assemble

SECRET = "hunter2-hunter2"
ECHO = '''
from core import action

@action(isolation="thread")
def run(password: str, fails: bool = False) -> dict[str, str]:
    """Tell what should not be told."""
    if fails:
        raise ValueError(f"{password} is wrong")
    return {"told": password}
'''


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    mirror = tmp_path / "mirror"
    (mirror / "inbox").mkdir(parents=True)
    return mirror


@pytest.fixture
def settings(tmp_path: Path, mirror: Path) -> dict[str, str]:
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "echo.py").write_text(ECHO)
    return {
        "AAFAI_ACTIONS_DIR": str(tmp_path / "actions"),
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
        "AAFAI_MIRROR": f"folder:{mirror}",
    }


@pytest.fixture
def a_kernel(settings: dict[str, str]) -> Iterator[Callable[..., Kernel]]:
    """Start a kernel; drained at the end."""
    kernels = []

    def a_kernel(**more: str) -> Kernel:
        kernel = assemble(Config.load({**settings, **more}))
        kernels.append(kernel)
        kernel.start()
        return kernel

    yield a_kernel
    for kernel in kernels:
        kernel.drain()


def await_file(path: Path) -> str:
    """Return the text of a file as soon as it is there."""
    never = threading.Event()
    while not path.exists():
        never.wait(0.02)
    return path.read_text()


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_published(a_kernel: Callable[..., Kernel], mirror: Path, fails: bool) -> None:
    job = a_kernel().bus.submit(
        Submission(action="echo", params={"password": SECRET, "fails": fails}, max_attempts=1)
    )

    status = await_file(mirror / "statuses" / f"{job.id}.json")
    result = await_file(mirror / "results" / f"{job.id}.json")

    assert "***" in result
    assert not any(SECRET in path.read_text() for path in mirror.rglob("*.json"))
    assert json.loads(status)["status"] == ("failed" if fails else "complete")


def test_a_file_that_was_left_before_the_start_is_run_and_its_result_published(
    a_kernel: Callable[..., Kernel], mirror: Path
) -> None:
    left = mirror / "inbox" / "mine.json"
    left.write_text(json.dumps({"action": "echo", "params": {"password": ""}}))
    os.utime(left, (0, 0))

    a_kernel()

    receipt = json.loads(await_file(mirror / "receipts" / "mine.json"))
    result = json.loads(await_file(mirror / "results" / f"{receipt['job_id']}.json"))
    assert result["result"] == {"told": ""}


def test_a_drained_kernel_has_published_all(settings: dict[str, str], mirror: Path, tmp_path: Path) -> None:
    kernel = assemble(Config.load(settings))
    kernel.start()
    job = kernel.bus.submit(Submission(action="echo", params={"password": ""}))
    kernel.bus.wait(job.id, 30)
    await_file(mirror / "statuses" / f"{job.id}.json")

    kernel.drain()

    assert [path.name for path in (tmp_path / "queues" / "mirror").iterdir()] == ["place"]


def test_what_ended_while_no_mirror_was_set_is_published_when_it_is_again(
    a_kernel: Callable[..., Kernel], mirror: Path
) -> None:
    a_kernel().drain()
    between = a_kernel(AAFAI_MIRROR="")
    missed = between.bus.submit(Submission(action="echo", params={"password": ""}))
    between.bus.wait(missed.id, 30)
    between.drain()

    a_kernel()

    status = await_file(mirror / "statuses" / f"{missed.id}.json")
    assert json.loads(status)["status"] == "complete"


def test_without_a_mirror_there_is_no_publisher_and_nothing_of_it_is_loaded(settings: dict[str, str]) -> None:
    program = (
        "import sys; from config import Config; from wiring import assemble;"
        f"kernel = assemble(Config.load({ {**settings, 'AAFAI_MIRROR': ''}!r}));"
        "assert kernel.publisher is None; kernel.bus.engine.close();"
        "print(*(name for name in sys.modules if 'mirror' in name or 'publish' in name))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["wiring_mirror", "queues.file.publishing"]
