"""Whether the actions can be loaded, and whether there is one for every job."""

from __future__ import annotations

from collections.abc import Iterator

from core.jobs import Job
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_NO_FOLDER = Kind(
    code="actions_missing",
    mark=Mark.PROBLEM,
    one="The folder of the actions cannot be read",
    why="The bus refuses to start.",
    remedy="Set AAFAI_ACTIONS_DIR to the folder of the actions",
)
_BROKEN = Kind(
    code="action_broken",
    mark=Mark.PROBLEM,
    one="An action cannot be loaded",
    many="{n} actions cannot be loaded",
    why="Jobs for it are refused with 503, and those that wait fail.",
    remedy="Mend the file, then restart the bus",
)
_UNKNOWN = Kind(
    code="action_unknown",
    mark=Mark.WARNING,
    one="A job waits for an action that cannot be run",
    many="{n} jobs wait for actions that cannot be run",
    why="Such a job fails as soon as it is its turn.",
    remedy="Put the action's file back and restart the bus, or cancel the job: rm its file",
)
_UNSERVED = Kind(
    code="queue_unserved",
    mark=Mark.WARNING,
    one="Jobs wait in a queue that has no slots",
    many="Jobs wait in {n} queues that have no slots",
    why="Nothing takes them out of it.",
    remedy="Name the queue in AAFAI_SLOTS, as in default=3,browser=1, and restart the bus",
)


def check_actions(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the actions that cannot be loaded."""
    try:
        registry = patient.registry
    except OSError as error:
        yield Flaw(_NO_FOLDER, str(patient.config.actions_dir), error.strerror or "")
        return
    yield ", ".join(registry.actions) or "none"
    for name, reason in registry.broken.items():
        yield Flaw(_BROKEN, name, reason)


def unknown_action(patient: Patient, where: str, job: Job) -> Iterator[Flaw]:
    """Yield the flaw of a job for which there is no action."""
    if patient.actions is not None and job.action not in patient.actions:
        yield Flaw(_UNKNOWN, where, job.action)


def unserved(patient: Patient, queue: str) -> Iterator[Flaw]:
    """Yield the flaw of a queue in which jobs wait, if nothing takes them out of it."""
    try:
        specs = patient.registry.actions.values()
    except OSError:
        return
    # A queue that only an action names has one slot.
    if not patient.config.slots.get(queue, any(spec.limits.queue == queue for spec in specs)):
        yield Flaw(_UNSERVED, queue)
