"""Whether schedules can be read, and could be run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.errors import BusError, InvalidRequest
from core.functions import Functions
from core.scheduler_models import Schedule
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient
from queues.schedules import DRAFT, SUFFIX, schedule_in

_TOP = "schedules"

_DAMAGED = Kind(
    code="schedule_damaged",
    mark=Mark.PROBLEM,
    one="The record of a schedule is damaged",
    many="The records of {n} schedules are damaged",
    why="It does not run. A task of tasks.yaml is registered anew when the bus starts, and begins then.",
    remedy="Restore it from a backup, or give it up:",
    mending="puts it into quarantine",
)
_CANNOT_RUN = Kind(
    code="schedule_cannot_run",
    mark=Mark.WARNING,
    one="A schedule is for something that cannot be run here",
    many="{n} schedules are for something that cannot be run here",
    why="Its runs are refused when they are due, until that is there again.",
    remedy="Bring it back, or: curl -X DELETE http://{address}/api/scheduler/tasks/AGENT:TASK",
)
_DRAFT = Kind(
    code="schedule_draft_left",
    mark=Mark.NOTE,
    one="The draft of a schedule is left",
    why="A crash left it; the change that it was for was never acknowledged.",
    mending="removes it",
)


def check_schedules(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the schedules that are damaged, and those whose runs would be refused."""
    folder, number = patient.path(_TOP), 0
    for name in sorted(patient.disk.names(folder)):
        if name == DRAFT and not patient.disk.is_held(folder):
            yield Flaw(_DRAFT, f"{_TOP}/{name}", mend=partial(_remove_draft, folder))
        if name.startswith(".") or not name.endswith(SUFFIX):
            continue
        number += 1
        patient.step()
        yield from _flaws_of(patient, name)
    yield f"{number:,} known"


def _flaws_of(patient: Patient, name: str) -> Iterator[Flaw]:
    path = patient.path(_TOP, name)
    try:
        schedule = schedule_in(patient.disk, patient.path(_TOP), name)
    except FileNotFoundError:
        return
    except BusError as error:
        if patient.may_read(path):
            # What is whole but cannot be understood here, a zone that is not installed say, is for people.
            whole = isinstance(error, InvalidRequest)
            mend = None if whole else partial(_put_aside, patient, name, error.message)
            yield Flaw(_DAMAGED, patient.short(path), error.message, mend)
        return
    if schedule.enabled and (obstacle := _obstacle(patient, schedule)):
        yield Flaw(_CANNOT_RUN, patient.short(path), obstacle)


def _obstacle(patient: Patient, schedule: Schedule) -> str | None:
    """Return why a schedule cannot be run, in a clause; None when it can, as far as can be told."""
    task, config = schedule.task, patient.config
    if task.function_path:
        fault = Functions(config.task_packages, config.tasks_path.parent).fault_of(task.function_path)
        return f"{task.function_path} {fault}" if fault else None
    missing = patient.actions is not None and task.action not in patient.actions
    return f"There is no action {task.action!r} that can be loaded." if missing else None


def _put_aside(patient: Patient, name: str, reason: str, bench: Bench) -> str:
    with bench.locked_folder(patient.path(_TOP)):
        return bench.put_aside(
            patient.path(_TOP, name), reason, spare=lambda path: not _is_damaged(patient, name)
        )


def _is_damaged(patient: Patient, name: str) -> bool:
    try:
        schedule_in(patient.disk, patient.path(_TOP), name)
    except BusError:
        return patient.may_read(patient.path(_TOP, name))
    except FileNotFoundError:
        return False
    return False


def _remove_draft(folder: str, bench: Bench) -> str:
    with bench.locked_folder(folder):
        return bench.remove(f"{folder}/{DRAFT}", "removed")
