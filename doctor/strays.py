"""What lies where the bus does not look for it: files of somebody else's, and jobs in the wrong place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial

from core.errors import RecordDamaged
from core.ids import JOB_ID
from core.jobs import Job
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.keys import KEY_FILE
from doctor.patient import Patient
from doctor.sweep import shelves
from queues.file.adopt import Adoption, accept_by_shape
from queues.file.layout import is_bucket, job_id_in
from queues.file.quarantine import Quarantine

#: Seconds after which a running bus must have taken in a dropped file.
_TAKEN_IN = 20.0

_FOREIGN = Kind(
    code="foreign",
    mark=Mark.NOTE,
    one="Something lies in the folder that is not the bus's",
    many="{n} things lie in the folder that are not the bus's",
    why="It is ignored, and harms nothing.",
    remedy="Move it elsewhere. A job is submitted by a file NAME.json in inbound/",
)
_MISPLACED = Kind(
    code="misplaced",
    mark=Mark.PROBLEM,
    one="A job lies where the bus does not look",
    many="{n} jobs lie where the bus does not look",
    why="It is not run, or its result is not found, and polls say that there is no such job.",
    mending="moves it to where it belongs",
)
_WAITING = Kind(
    code="dropped_not_taken",
    mark=Mark.WARNING,
    one="A file in inbound/ is not taken in by the bus that runs",
    many="{n} files in inbound/ are not taken in by the bus that runs",
    why="It should have become a job within two seconds. The bus may be out of room, or switching off.",
    remedy="journalctl -u aafai-bus -n 50",
)
_OWN: dict[str, Callable[[str], object]] = {
    "running": re.compile(r"[0-9a-f-]{36}\.(json|cancel)").fullmatch,
    "failed": job_id_in,
    "journal": re.compile(r".+\.journal").fullmatch,
    "tombstones": re.compile(r"[0-9a-f]{8}\.txt").fullmatch,
    "keys": re.compile(r"[0-9a-f]{2}").fullmatch,
    "tmp": re.compile(r"\d+-[0-9a-f]{8}").fullmatch,
    "logs": is_bucket,
    "scheduled": is_bucket,
    "outbound": is_bucket,
    "locks": re.compile(r".*\.lock").fullmatch,
    "schedules": re.compile(r"\.draft|.+:.+\.json").fullmatch,
    "mirror": re.compile(r"\d+-[0-9a-f]{16}(\.part)?|place").fullmatch,
    "webhooks": re.compile(r"promised|pending|given-up|lock|secret(\.\d+\.part)?").fullmatch,
    "webhooks/promised": JOB_ID.fullmatch,
    "webhooks/pending": re.compile(r".+\.json|.+\.\d+\.part").fullmatch,
    "webhooks/given-up": re.compile(r".+\.json").fullmatch,
}


def check_strays(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what is not the bus's, and jobs that have been put into the wrong place."""
    number = 0
    for path in _strays(patient):
        number += 1
        yield from _flaws_of(patient, path)
    yield f"{number:,} out of place" if number else "none"


def check_dropped(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the files that people have dropped into inbound/ and that are still there."""
    number, folder = 0, patient.path("inbound")
    for name in sorted(patient.disk.names(folder)):
        path = f"{folder}/{name}"
        if name.startswith(".") or not name.endswith(".json") or not patient.disk.is_file(path):
            continue
        number += 1
        try:
            age = patient.now - patient.disk.status(path).st_ctime
        except FileNotFoundError:
            continue
        if patient.buses and age > _TAKEN_IN:
            yield Flaw(_WAITING, patient.short(path))
    if number:
        yield f"{number:,} dropped into inbound/ to be taken in"


def _strays(patient: Patient) -> Iterator[str]:
    """Yield the paths of all that does not bear a name of the bus's own in its place."""
    for top, is_own in _OWN.items():
        yield from (
            patient.path(top, name) for name in patient.disk.names(patient.path(top)) if not is_own(name)
        )
    yield from (patient.path("inbound", name) for name in _ignored(patient))
    for folder in patient.disk.folders(patient.path("keys")):
        names = patient.disk.names(patient.path("keys", folder))
        yield from (patient.path("keys", folder, name) for name in names if not KEY_FILE.fullmatch(name))
    for top in [*(shelf.path for shelf in shelves(patient)), patient.path("outbound")]:
        if top.startswith(patient.path("inbound")):
            yield from (f"{top}/{name}" for name in patient.disk.names(top) if not is_bucket(name))
        for bucket in patient.site.folders.buckets(top):
            for name in patient.disk.names(f"{top}/{bucket}"):
                job_id = job_id_in(name.replace(".result.json", ".json"))
                if job_id is None or not job_id.startswith(bucket):
                    yield f"{top}/{bucket}/{name}"


def _ignored(patient: Patient) -> list[str]:
    """Ask the part of the engine that takes in what is dropped what it will never take in."""
    unused = Quarantine(patient.disk, patient.layout, lambda name, reason: None)
    adoption = Adoption(
        patient.site,
        quarantine=unused,
        whereabouts=patient.whereabouts,
        accept=accept_by_shape(),
        add=lambda job: job,
        adopted=lambda job: None,
    )
    return adoption.ignored() if os.path.isdir(patient.path("inbound")) else []


def _flaws_of(patient: Patient, path: str) -> Iterator[Flaw]:
    lost = [inner for inner in _files_in(patient, path) if _lost_job(patient, inner) is not None]
    for inner in lost:
        yield Flaw(_MISPLACED, patient.short(inner), mend=partial(_move, patient, inner))
    if not lost and os.path.lexists(path):
        yield Flaw(_FOREIGN, patient.short(path))


def _files_in(patient: Patient, path: str) -> Iterator[str]:
    if not patient.disk.is_folder(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from (f"{folder}/{name}" for name in names)


def _lost_job(patient: Patient, path: str) -> Job | None:
    """Return the job whose only record this is; None when it is no record, or a copy of one."""
    job_id = job_id_in(os.path.basename(path))
    if job_id is None or not patient.disk.opens(path):
        return None
    try:
        job = patient.records.read_waiting(path, job_id)
        job = _ended(patient, path, job)
    except (RecordDamaged, FileNotFoundError):
        return None
    known = patient.whereabouts.find(job_id) is not None or patient.tombstones.has(job_id)
    return None if known else job


def _ended(patient: Patient, path: str, job: Job) -> Job:
    """Return the job as its final record says it; itself when it has not ended."""
    try:
        return patient.records.read_final(path, job.id, whole_result=False)
    except RecordDamaged:
        return job


def _move(patient: Patient, path: str, bench: Bench) -> str:
    """Move a record to its place, durably; a final one is never put over another."""
    job = _lost_job(patient, path)
    if job is None:
        return "left: the job has come back"
    if job.state.ended:
        folder = patient.layout.ended(job.id)
        bench.folders.place(bench.disk.link, path, folder, f"{job.id}.json")
        bench.folders.settle(folder)
        bench.disk.unlink(path)
    else:
        deferred = job.run_after is not None
        layout = patient.layout
        folder = layout.scheduled(job.id) if deferred else layout.waiting(job.queue, job.priority, job.id)
        bench.folders.place(bench.disk.rename, path, folder, f"{job.id}.json")
        bench.folders.settle(folder)
    return f"moved to {patient.short(folder)}/"
