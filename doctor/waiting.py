"""Whether the jobs that wait or are deferred are sound, and will run once and in time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.errors import RecordDamaged
from core.jobs import Job
from core.timing import format_duration
from doctor.actions import unknown_action
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient
from doctor.sweep import Bucket
from queues.file.whereabouts import Place

#: Seconds by which a running bus may be late.
_LATE = 60.0

_DAMAGED = Kind(
    code="record_damaged",
    mark=Mark.PROBLEM,
    one="The record of a waiting job is damaged",
    many="The records of {n} waiting jobs are damaged",
    why="The job cannot run. When it is its turn the bus puts it aside, and polls say record_damaged.",
    remedy="Restore it from a backup, or give it up:",
    mending="puts it into quarantine",
)
_OVER = Kind(
    code="waiting_over",
    mark=Mark.NOTE,
    one="A job that waits has ended already",
    many="{n} jobs that wait have ended already",
    why="A power cut brought the old name back. The final record counts, and the job is not run again.",
    mending="removes the name where it waits",
)
_COPIES = Kind(
    code="waiting_twice",
    mark=Mark.WARNING,
    one="A job waits in two places",
    many="{n} jobs wait in two places",
    why="Somebody has copied a record instead of moving it, and the job could run twice at once.",
    mending="leaves the newest of the records, and puts the others into quarantine",
)
_OVERDUE = Kind(
    code="overdue",
    mark=Mark.PROBLEM,
    one="A deferred job is overdue",
    many="{n} deferred jobs are overdue",
    why="The bus that runs should have taken it up at its time: its workers or its janitor hang.",
    remedy="journalctl -u aafai-bus -n 50; sudo systemctl restart aafai-bus",
)
_DUE = Kind(
    code="due",
    mark=Mark.NOTE,
    one="A deferred job is due",
    many="{n} deferred jobs are due",
    why="No bus runs that could run it; it runs when one is started.",
)
_MISDATED = Kind(
    code="misdated",
    mark=Mark.WARNING,
    one="The file time of a deferred job is later than the job is due",
    many="The file times of {n} deferred jobs are later than the jobs are due",
    why="A bus that starts goes by the file times and would run them late. Copying without times does that.",
    mending="sets the file time to when the job is due",
)


def flaws_of_waiting(patient: Patient, bucket: Bucket, restored: frozenset[str]) -> Iterator[Flaw]:
    """Yield what is wrong with the jobs of a bucket that wait or are deferred.

    Damage is not told of those that the next opening of the queue restores.
    """
    for job_id, shelves in bucket.waiting.items():
        paths = [bucket.path(shelf, job_id) for shelf in shelves]
        if job_id in bucket.ended or job_id in bucket.purged:
            yield from _flaws_of_names_left(patient, job_id, paths)
            continue
        jobs: dict[str, Job] = {}
        for path in paths:
            damage = _read(patient, path, job_id, jobs)
            yield from damage if job_id not in restored else ()
        if len(jobs) > 1 and patient.inodes(*jobs):
            newest = max(jobs, key=lambda path: jobs[path].version)
            for path in jobs.keys() - {newest}:
                yield Flaw(_COPIES, patient.short(path), mend=partial(_leave_one, path, newest))
        for path, job in jobs.items():
            yield from unknown_action(patient, patient.short(path), job)
            if Place.SCHEDULED.value in patient.short(path):
                yield from _flaws_of_time(patient, path, job)


def _read(patient: Patient, path: str, job_id: str, jobs: dict[str, Job]) -> Iterator[Flaw]:
    """Note the job, or yield what is wrong with its record."""
    patient.step()
    try:
        jobs[path] = patient.records.read_waiting(path, job_id)
    except FileNotFoundError:
        pass  # it has moved on
    except RecordDamaged as error:
        if patient.may_read(path):
            mend = partial(_put_aside, patient, path, job_id, error.reason)
            yield Flaw(_DAMAGED, patient.short(path), error.reason, mend)


def _flaws_of_names_left(patient: Patient, job_id: str, paths: list[str]) -> Iterator[Flaw]:
    for path in paths:
        # Whoever is ending the job at this moment holds its record.
        if _is_over(patient, job_id) and patient.disk.opens(path) and not patient.disk.is_held(path):
            yield Flaw(_OVER, patient.short(path), mend=partial(_remove_name, patient, path, job_id))


def _flaws_of_time(patient: Patient, path: str, job: Job) -> Iterator[Flaw]:
    try:
        dated = patient.disk.status(path).st_mtime
    except FileNotFoundError:
        return
    due = job.run_after if job.run_after is not None else dated
    if dated > due + 1.0:
        yield Flaw(_MISDATED, patient.short(path), mend=partial(_date, path, due))
    elif (late := patient.now - due) > (_LATE if patient.buses else 0.0):
        yield Flaw(_OVERDUE if patient.buses else _DUE, patient.short(path), f"since {format_duration(late)}")


def _put_aside(patient: Patient, path: str, job_id: str, reason: str, bench: Bench) -> str:
    return bench.put_aside(path, reason, spare=lambda path: not _is_damaged(patient, path, job_id))


def _is_damaged(patient: Patient, path: str, job_id: str) -> bool:
    try:
        patient.records.read_waiting(path, job_id)
    except RecordDamaged:
        return patient.may_read(path)
    except FileNotFoundError:
        return False
    return False


def _is_over(patient: Patient, job_id: str) -> bool:
    """Return whether the job was purged, or has a final record that can be read."""
    try:
        patient.records.read_final(patient.layout.final(job_id), job_id, whole_result=True)
    except (FileNotFoundError, RecordDamaged):
        return patient.tombstones.has(job_id)
    return True


def _remove_name(patient: Patient, path: str, job_id: str, bench: Bench) -> str:
    with bench.locked(path):
        if not _is_over(patient, job_id):
            return "left: it has not ended after all"
        return bench.remove(path, "name removed")


def _leave_one(path: str, newest: str, bench: Bench) -> str:
    if bench.disk.status(path).st_ino == bench.disk.status(newest).st_ino:
        return bench.remove(path, "second name removed")
    with bench.locked(newest), bench.locked(path):
        return bench.put_aside(path, "The job waited in two places.", spare=lambda path: False)


def _date(path: str, due: float, bench: Bench) -> str:
    with bench.locked(path) as fd:
        bench.disk.date(fd, due)
    return "dated to when it is due"
