"""How a command waits for a job: with its progress shown, its result printed or its files saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from client.bus_client import LONGEST_WAIT
from client.calls import Call
from client.errors import JobFailed
from client.printable import printable_lines

_LIVE, _PLAIN = 1.0, 5.0  # seconds between two looks, where people watch


def awaited(call: Call, job_id: str, within: float, save: Path | None) -> None:
    """Wait until a job has ended, then print its result, or save its files. Raises JobFailed, NotInTime."""
    pause = _LIVE if call.progress.is_live else LONGEST_WAIT if call.as_json else _PLAIN
    job = call.bus.wait(job_id, within=within, watch=call.progress.watch, every=pause)
    if job["state"] != "succeeded":
        raise JobFailed(job)
    if save is None:
        call.show(job, result_lines(job["result"]))
        return
    paths = [str(path) for path in call.bus.save(job_id, save)]
    call.show({**job, "saved": paths}, paths or ["The job has made no files."])


def result_lines(result: Any) -> Iterator[str]:
    """Yield a result as people read it: a text as it is, anything else as JSON."""
    text = result if isinstance(result, str) else json.dumps(result, indent=1, ensure_ascii=False)
    yield printable_lines(text)
