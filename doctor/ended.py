"""Whether the final records are sound, with their results, and failed/ shows what failed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.errors import RecordDamaged
from core.jobs import Job, State
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient
from doctor.sweep import Bucket
from queues.file.layout import job_id_in

#: Seconds after its end in which a failed job need not be shown yet.
_FRESH = 5.0

_DAMAGED = Kind(
    code="final_damaged",
    mark=Mark.PROBLEM,
    one="The final record of a job is damaged, or its result is",
    many="The final records of {n} jobs are damaged, or their results are",
    why="What the job answered cannot be read. The bus puts the record aside at the first poll.",
    remedy="Restore it from a backup, or give it up:",
    mending="puts it into quarantine",
)
_RESULT = Kind(
    code="result_stray",
    mark=Mark.NOTE,
    one="A result lies in outbound/ without a job",
    many="{n} results lie in outbound/ without a job",
    why="Its record was removed by hand, or lost. The bus neither reads nor purges it.",
    mending="puts it into quarantine",
)
_HIDDEN = Kind(
    code="failed_not_shown",
    mark=Mark.NOTE,
    one="A failed job is not shown in failed/",
    many="{n} failed jobs are not shown in failed/",
    why="Somebody has removed it there, which is harmless, or a crash came before it was shown.",
    mending="shows it again",
)
_ODD = Kind(
    code="failed_odd",
    mark=Mark.NOTE,
    one="A file in failed/ is not the job's final record",
    many="{n} files in failed/ are not the jobs' final records",
    why="Somebody has edited or copied it. The bus reads only outbound/.",
    mending="puts it into quarantine and shows the final record in its place",
)
_ONLY = Kind(
    code="failed_only_there",
    mark=Mark.WARNING,
    one="The record of a failed job is left in failed/ only",
    many="The records of {n} failed jobs are left in failed/ only",
    why="Its name in outbound/ is gone, so polls say that there was no such job.",
    mending="gives it its name in outbound/ again",
)
_DANGLING = Kind(
    code="failed_dangling",
    mark=Mark.NOTE,
    one="failed/ shows a job that was purged, or is no more",
    many="failed/ shows {n} jobs that were purged, or are no more",
    why="A crash came while it was being purged, or somebody put it there.",
    mending="removes it if the job was purged, and else puts it into quarantine",
)


def flaws_of_ended(patient: Patient, bucket: Bucket, restored: frozenset[str]) -> Iterator[Flaw]:
    """Yield what is wrong with the final records of a bucket, but of those that are about to be restored."""
    for job_id in sorted(bucket.ended - bucket.purged - restored):
        yield from _flaws_of_record(patient, job_id)
    for job_id in sorted(bucket.results - bucket.ended - restored):
        path = patient.layout.result(job_id)
        if _is_stray(patient, path, job_id):
            mend = partial(_put_aside_result, patient, path, job_id)
            yield Flaw(_RESULT, patient.short(path), mend=mend)


def check_failed(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what failed/ shows although it should not."""
    names = sorted(filter(job_id_in, patient.disk.names(patient.path("failed"))))
    for job_id in filter(None, map(job_id_in, names)):
        shown, final = patient.layout.failed(job_id), patient.layout.final(job_id)
        if patient.disk.exists(final) or not patient.disk.exists(shown):
            continue
        if _is_sound(patient, shown, job_id) and patient.whereabouts.look(job_id) is None:
            purged = patient.tombstones.has(job_id)
            kind, mend = (_DANGLING, _removal) if purged else (_ONLY, partial(_restore, patient, job_id))
            yield Flaw(kind, f"failed/{job_id}.json", mend=partial(mend, shown))
        elif patient.may_read(shown):
            yield Flaw(_DANGLING, f"failed/{job_id}.json", mend=partial(_put_aside_view, shown))
    yield f"{len(names):,} shown in failed/"


def _flaws_of_record(patient: Patient, job_id: str) -> Iterator[Flaw]:
    path = patient.layout.final(job_id)
    patient.step()
    try:
        job = patient.records.read_final(path, job_id, whole_result=True)
    except FileNotFoundError:
        return
    except RecordDamaged as error:
        if patient.may_read(path) and not patient.tombstones.has(job_id):
            mend = partial(_put_aside, patient, path, job_id, error.reason)
            yield Flaw(_DAMAGED, patient.short(path), error.reason, mend)
        return
    yield from _flaws_of_view(patient, job)


def _flaws_of_view(patient: Patient, job: Job) -> Iterator[Flaw]:
    if job.state is not State.FAILED or patient.now - (job.ended_at or 0.0) < _FRESH:
        return
    shown, final = patient.layout.failed(job.id), patient.layout.final(job.id)
    if not patient.disk.exists(shown):
        if patient.disk.exists(final):
            yield Flaw(_HIDDEN, patient.short(shown), mend=partial(_show, shown, final))
    elif (inodes := patient.inodes(shown, final)) and inodes[0] != inodes[1]:
        yield Flaw(_ODD, patient.short(shown), mend=partial(_show_instead, shown, final))


def _is_stray(patient: Patient, path: str, job_id: str) -> bool:
    """Return whether no job has the result: it is written before the final record, so its job may yet run."""
    return patient.whereabouts.find(job_id) is None and patient.disk.is_file(path)


def _is_sound(patient: Patient, path: str, job_id: str) -> bool:
    try:
        return patient.records.read_final(path, job_id, whole_result=True).state is State.FAILED
    except (RecordDamaged, FileNotFoundError):
        return False


def _put_aside(patient: Patient, path: str, job_id: str, reason: str, bench: Bench) -> str:
    """Put a final record aside, and what is left of its result."""

    def spare(path: str) -> bool:
        try:
            patient.records.read_final(path, job_id, whole_result=True)
        except RecordDamaged:
            return False
        return True

    done, result = bench.put_aside(path, reason, spare=spare), patient.layout.result(job_id)
    if patient.disk.is_file(result):
        _put_aside_result(patient, result, job_id, bench)
    return done


def _put_aside_result(patient: Patient, path: str, job_id: str, bench: Bench) -> str:
    reason = "It is the result of a job that is not there."
    return bench.put_aside(path, reason, spare=lambda path: not _is_stray(patient, path, job_id))


def _show(shown: str, final: str, bench: Bench) -> str:
    bench.disk.link(final, shown)
    return "shown again"


def _show_instead(shown: str, final: str, bench: Bench) -> str:
    bench.put_aside(shown, "It lay in failed/ and was not the final record.", spare=lambda path: False)
    return _show(shown, final, bench)


def _removal(shown: str, bench: Bench) -> str:
    return bench.remove(shown, "removed")


def _put_aside_view(shown: str, bench: Bench) -> str:
    return bench.put_aside(
        shown, "It lay in failed/, and there is no such failed job.", spare=lambda path: False
    )


def _restore(patient: Patient, job_id: str, shown: str, bench: Bench) -> str:
    """Give a final record its name back, durably. Raises FileExistsError when there is another by now."""
    if patient.whereabouts.find(job_id) is not None or patient.tombstones.has(job_id):
        return "left: the job has come back"
    bench.folders.place(bench.disk.link, shown, patient.layout.ended(job_id), f"{job_id}.json")
    bench.folders.settle(patient.layout.ended(job_id))
    return "found in outbound/ again"
