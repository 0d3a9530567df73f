"""What a crash leaves half done, all of which the engine sees to whenever the queue is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from core.errors import EngineUnavailable
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient
from queues.file.entries import entries_in
from queues.file.layout import job_id_in
from queues.file.whereabouts import Place

_SCRATCH = Kind(
    code="scratch_left",
    mark=Mark.NOTE,
    one="The scratch folder of a process that died is left in tmp/",
    many="The scratch folders of {n} processes that died are left in tmp/",
    why="What lies in it was never acknowledged to anybody. The bus removes it at its next start.",
    mending="removes it",
)
_DRAFT = Kind(
    code="draft_left",
    mark=Mark.NOTE,
    one="A draft of FORMAT.json is left",
    many="{n} drafts of FORMAT.json are left",
    why="A crash left it; it means nothing.",
    mending="removes it",
)
_JOURNAL = Kind(
    code="journal_left",
    mark=Mark.NOTE,
    one="The journal of a process that ended is left",
    many="The journals of {n} processes that ended are left",
    why="What it acknowledged in its last second stands in there. Whoever opens the queue next, as the bus"
    " does when it starts, makes the records say the same; until then some may be missing or torn.",
    mending="makes the records say what it says",
)
_TWICE = Kind(
    code="two_names",
    mark=Mark.WARNING,
    one="A job has a name in running/ and one where jobs wait",
    many="{n} jobs have a name in running/ and one where jobs wait",
    why="A power cut or a copy made by hand leaves that. The job could run twice.",
    mending="leaves one name: the newer one, or that of the attempt under way",
)
_DRAFT_NAME = re.compile(r"FORMAT\.json\.[0-9a-f]{8}")


def left_overs(patient: Patient) -> Iterator[Flaw]:
    """Yield what dead processes have left."""
    yield from _scratches(patient)
    yield from _journals(patient)
    yield from _second_names(patient)
    for name in patient.disk.names(patient.folder):
        if _DRAFT_NAME.fullmatch(name):
            yield Flaw(_DRAFT, name, mend=partial(_removal, patient.path(name)))


def _scratches(patient: Patient) -> Iterator[Flaw]:
    for name in sorted(patient.disk.folders(patient.path("tmp"))):
        path = patient.path("tmp", name)
        if not patient.disk.is_held(path) and patient.disk.exists(path):
            yield Flaw(_SCRATCH, f"tmp/{name}", mend=partial(_opening, path, "removed"))


def _journals(patient: Patient) -> Iterator[Flaw]:
    for path in patient.dead_journals():
        number = sum(1 for _ in entries_in(patient.disk.read_file(path)))
        mend = partial(_opening, path, "made true")
        yield Flaw(_JOURNAL, patient.short(path), f"{number:,} steps" if number else "empty", mend)


def _second_names(patient: Patient) -> Iterator[Flaw]:
    for name in sorted(patient.disk.names(patient.path("running"))):
        job_id = job_id_in(name)
        if job_id is None:
            continue
        running = patient.layout.running(job_id)
        for other in patient.whereabouts.all_names(job_id):
            waits = other.place in {Place.WAITING, Place.SCHEDULED}
            if waits and (inodes := patient.inodes(other.path, running)):
                mend = partial(_one_name, other.path, running, inodes[0] == inodes[1])
                yield Flaw(_TWICE, patient.short(other.path), mend=mend)


def _opening(path: str, done: str, bench: Bench) -> str:
    """Let the engine see to what its opening mends, and make sure that it did."""
    bench.open()
    if bench.disk.exists(path):
        raise EngineUnavailable("It is still there.", hint="Somebody holds it, or odd things lie in it.")
    return done


def _removal(path: str, bench: Bench) -> str:
    return bench.remove(path, "removed")


def _one_name(waiting: str, running: str, same: bool, bench: Bench) -> str:
    """Leave the engine to choose; while an attempt is under way it does not, and the other name must go."""
    bench.open()
    if not (bench.disk.exists(waiting) and bench.disk.exists(running)):
        return "one name left"
    if same:
        return bench.remove(waiting, "second name removed, an attempt being under way")
    with bench.locked(waiting):
        return bench.put_aside(waiting, "It waited while the same job was running.", spare=lambda path: False)
