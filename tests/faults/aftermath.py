"""After the power came back: open the queue on what is left, run every job to its end, and audit again."""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import closing
from pathlib import Path

from core import lifecycle
from core.engine import Engine
from core.errors import BusError
from core.jobs import DEFAULT_QUEUE, Job, State
from queues.file.engine import FileEngine
from tests.faults.ledger import Figures, Ledger
from tests.faults.load import result_of, same_key
from tests.faults.mutants import ROOM
from tests.queues.disks import QuickDisk

_FAR = 1e6  # seconds: by then every deferred job is due
_ROUNDS = 5


def drained(base: Path, ledger: Ledger, *, now: float) -> Figures:
    """Return the figures of a queue that a new engine was opened on and that was drained."""
    try:
        return _audited(base, ledger, now)
    except BusError:
        return Counter(unopened=1)
    finally:
        gc.collect()  # closed engines hold folders open until they are collected, and those the mount


def _audited(base: Path, ledger: Ledger, now: float) -> Figures:
    # Nobody cuts this engine's power, so it need not sync.
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as engine:
        runs = _run_all(engine, now + _FAR)
        ended = {job.id for job in runs if job.id in ledger.ended}
        return Counter(
            finished_run_again=len(ended),
            started_again=sum(1 for job in runs if job.id in ledger.once),
            # The attempt that the cut ended may count or not, those before it do.
            claims_forgotten=sum(1 for job in runs if job.attempt < ledger.started[job.id]),
            duplicated=len(runs) - len({job.id for job in runs}),
            finished_lost=sum(1 for job_id in ledger.ended if not _keeps_result(engine, job_id)),
            again=len(ledger.keyed),
            key_forgotten=sum(1 for job_id in ledger.keyed if not _knows_key(engine, job_id)),
            stuck=sum(1 for job_id in ledger.kept if not _is_over(engine, job_id)) + _unended(engine),
        )


def _run_all(engine: Engine, now: float) -> list[Job]:
    """Rescue and run until nothing is left; return the jobs as they were claimed."""
    runs = []
    for _ in range(_ROUNDS):
        for lost in engine.abandoned(now):
            engine.swap(lost, lifecycle.lost(lost, now=now))
        engine.upkeep(now)
        while job := engine.claim("heir", now=now, lease=30, queues=[DEFAULT_QUEUE]):
            runs.append(job)
            engine.swap(job, lifecycle.succeeded(job, result=result_of(job.id), now=now))
    return runs


def _keeps_result(engine: Engine, job_id: str) -> bool:
    try:
        job = engine.get(job_id)
    except BusError:
        return False
    return job.state is not State.SUCCEEDED or (isinstance(job.result, dict) and job.result["of"] == job_id)


def _knows_key(engine: Engine, job_id: str) -> bool:
    try:
        return engine.add(same_key(job_id)).id == job_id
    except BusError:
        return False


def _is_over(engine: Engine, job_id: str) -> bool:
    try:
        return engine.peek(job_id).state.ended
    except BusError:
        return False


def _unended(engine: Engine) -> int:
    return sum(number for state, number in engine.count().items() if not state.ended)
