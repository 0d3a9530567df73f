"""How a command waits for a job: with its progress shown, its result printed or its files saved."""

from __future__ import annotations

import os
from pathlib import Path

from client.bus_client import LONGEST_WAIT
from client.calls import Call
from client.errors import BadInput, ClientError, Interrupted, JobFailed

_LIVE, _PLAIN = 1.0, 5.0  # seconds between two looks, where people watch


def awaited(call: Call, job_id: str, within: float, save: Path | None) -> None:
    """Wait until a job has ended, then print its result, or save its files. Raises JobFailed, NotInTime."""
    try:
        _awaited(call, job_id, within, save)
    except KeyboardInterrupt:
        hint = f"Ask again later: bus get {job_id} --wait"
        error: ClientError = Interrupted(f"Interrupted. Job {job_id} goes on.", hint=hint)
        raise _about(error, job_id) from None
    except ClientError as error:
        raise _about(error, job_id) from None


def check_folder(folder: Path | None) -> None:
    """Raise BadInput for a folder that cannot be written: before a machine is started for what goes there."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror}.", hint="Name another folder.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{folder}: you may not write there.", hint="Name another folder.")


def _awaited(call: Call, job_id: str, within: float, save: Path | None) -> None:
    pause = _LIVE if call.progress.is_live else LONGEST_WAIT if call.as_json else _PLAIN
    job = call.bus.wait(job_id, within=within, watch=call.progress.watch, every=pause)
    if job["state"] != "succeeded":
        raise JobFailed(job)
    if save is None:
        call.show_result(job, job["result"])
        return
    paths = [str(path) for path in call.bus.save(job_id, save)]
    call.show({**job, "saved": paths}, paths or ["The job has made no files."])


def _about(error: ClientError, job_id: str) -> ClientError:
    error.evidence["job_id"] = job_id
    return error
