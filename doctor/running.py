"""What runs, and what dead workers have left in running/ and among the live files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.errors import RecordDamaged
from doctor.actions import unknown_action
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.journalled import journalled
from doctor.patient import Patient
from queues.file.layout import job_id_in

_ORPHAN = Kind(
    code="orphan",
    mark=Mark.NOTE,
    one="A job ran when its worker died",
    many="{n} jobs ran when their workers died",
    why="That is what a crash leaves. A bus lets them run again within a second, or as soon as it starts.",
    mending="lets them run again, or ends those that have no attempt left, as the bus does",
)
_OVER = Kind(
    code="running_over",
    mark=Mark.NOTE,
    one="A job in running/ has ended",
    many="{n} jobs in running/ have ended",
    why="A crash came before that name was removed. The final record counts.",
    mending="removes the name in running/",
)
_DAMAGED = Kind(
    code="running_damaged",
    mark=Mark.PROBLEM,
    one="The record of a job whose worker died is damaged",
    many="The records of {n} jobs whose workers died are damaged",
    why="The job cannot run again. The bus puts its record aside, and polls say record_damaged.",
    mending="puts it into quarantine",
)
_DAMAGED_LIVE = Kind(
    code="running_damaged_live",
    mark=Mark.NOTE,
    one="The record of a job that is being run is damaged",
    many="The records of {n} jobs that are being run are damaged",
    why="The attempt goes on and will write the result. Only if its worker dies is the job lost.",
)
_STRAY = Kind(
    code="attempt_without_bus",
    mark=Mark.WARNING,
    one="A job is being run, but no bus waits for its result",
    many="{n} jobs are being run, but no bus waits for their results",
    why="Their processes have outlived the bus that started them; the jobs run again when they have ended.",
    remedy="lslocks   shows which processes hold files in running/",
)
_WISH = Kind(
    code="cancel_left",
    mark=Mark.NOTE,
    one="A wish to cancel is left of a job that does not run",
    many="{n} wishes to cancel are left of jobs that do not run",
    why="It means nothing any more.",
    mending="removes it",
)
_LIVE = Kind(
    code="live_left",
    mark=Mark.NOTE,
    one="A progress report is left of a job that does not run",
    many="{n} progress reports are left of jobs that do not run",
    why="It means nothing any more.",
    mending="removes it",
)


def check_running(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what is wrong with the jobs in running/, and what is left of attempts that are over."""
    names = sorted(patient.disk.names(patient.path("running")))
    job_ids = [job_id for name in names if (job_id := job_id_in(name))]
    held = {job_id for job_id in job_ids if patient.disk.is_held(patient.layout.running(job_id))}
    restored = journalled(patient).job_ids
    looked_at = [job_id for job_id in job_ids if job_id not in restored]
    # The first that is mended has all of them rescued: so all are listed before.
    flaws = [flaw for job_id in looked_at for flaw in _flaws_of(patient, job_id, held=job_id in held)]
    yield from [*flaws, *_remains(patient)]
    yield f"{len(held):,} being run"


def _remains(patient: Patient) -> Iterator[Flaw]:
    running, live = patient.path("running"), patient.layout.live
    for name in sorted(patient.disk.names(running)):
        if name.endswith(".cancel"):
            yield from _remainder(patient, _WISH, f"{running}/{name}", name.removesuffix(".cancel"))
    for name in sorted(patient.disk.names(live)):
        # A report is called <job id>.json, its draft .<job id>.<number>.
        yield from _remainder(patient, _LIVE, f"{live}/{name}", name.lstrip(".").partition(".")[0])


def _flaws_of(patient: Patient, job_id: str, *, held: bool) -> Iterator[Flaw]:
    path = patient.layout.running(job_id)
    where, rescue = f"running/{job_id}.json", None if patient.buses else partial(_rescue, job_id)
    patient.step()
    try:
        job = patient.records.read_running(path, job_id)
    except FileNotFoundError:
        return
    except RecordDamaged as error:
        if patient.may_read(path):
            yield Flaw(_DAMAGED_LIVE if held else _DAMAGED, where, error.reason, None if held else rescue)
        return
    if held:
        if not patient.buses:
            yield Flaw(_STRAY, where, job.action)
    elif patient.whereabouts.is_over(job_id):
        yield Flaw(_OVER, where, mend=rescue)
    elif patient.disk.exists(path):
        yield Flaw(_ORPHAN, where, job.action, rescue)
        yield from unknown_action(patient, where, job)


def _remainder(patient: Patient, kind: Kind, path: str, job_id: str) -> Iterator[Flaw]:
    if job_id_in(f"{job_id}.json") and patient.disk.is_file(path) and not _runs(patient, job_id):
        yield Flaw(kind, patient.short(path), mend=partial(_removal, patient, job_id, path))


def _runs(patient: Patient, job_id: str) -> bool:
    return patient.disk.exists(patient.layout.running(job_id))


def _rescue(job_id: str, bench: Bench) -> str:
    return bench.rescued(job_id)


def _removal(patient: Patient, job_id: str, path: str, bench: Bench) -> str:
    return "left: its job runs again" if _runs(patient, job_id) else bench.remove(path, "removed")
