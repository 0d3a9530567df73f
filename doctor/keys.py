"""Whether idempotency keys lead to jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from core.errors import Unsupported
from core.jobs import State
from core.strict_json import BadJson, parse
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.journalled import journalled
from doctor.patient import Patient
from queues.record import job_of

#: What the file of a key is called.
KEY_FILE = re.compile(r"[0-9a-f]{64}\.json")
#: Seconds after which a submission must have got beyond its key.
_SETTLED = 60.0
_ANOTHERS = "It holds another key than its name says."

_DAMAGED = Kind(
    code="key_damaged",
    mark=Mark.WARNING,
    one="The file of an idempotency key is damaged",
    many="The files of {n} idempotency keys are damaged",
    why="A repeated submission under that key would be stored as a new job.",
    remedy="Restore it from a backup, or give it up:",
    mending="puts it into quarantine",
)
_ALONE = Kind(
    code="key_alone",
    mark=Mark.NOTE,
    one="An idempotency key leads to no job",
    many="{n} idempotency keys lead to no job",
    why="A crash came before the job was accepted, or somebody has removed it by hand. Whoever submits it"
    " again gets it run. The bus forgets the key after a day.",
)


def check_keys(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the keys that are damaged, and those whose job is nowhere."""
    top, number, restored = patient.path("keys"), 0, journalled(patient).keys
    for folder in sorted(patient.disk.folders(top)):
        for name in patient.disk.names(f"{top}/{folder}"):
            if KEY_FILE.fullmatch(name):
                number += 1
                patient.step()
                path = f"{top}/{folder}/{name}"
                yield from _flaws_of(patient, path, restored=path in restored)
    yield f"{number:,} known"


def _flaws_of(patient: Patient, path: str, *, restored: bool) -> Iterator[Flaw]:
    """Yield what is wrong with a file, save what a crash leaves and a journal will put right."""
    try:
        reason, job_id = _examined(patient, path)
        age = patient.now - patient.disk.status(path).st_ctime
    except FileNotFoundError:
        return
    if restored and reason != _ANOTHERS:
        return
    if reason:
        if patient.may_read(path):
            yield Flaw(_DAMAGED, patient.short(path), reason, partial(_put_aside, patient, path, reason))
    elif age > _SETTLED and patient.whereabouts.find(job_id) is None and not patient.tombstones.has(job_id):
        yield Flaw(_ALONE, patient.short(path), f"job {job_id}")


def _examined(patient: Patient, path: str) -> tuple[str, str]:
    """Return why the file is no key's, and the id of its job. Raises FileNotFoundError."""
    try:
        job = job_of(parse(patient.disk.read_file(path)), state=State.QUEUED)
    except (BadJson, Unsupported) as error:
        return error.message, ""
    except ValueError as error:
        return str(error), ""
    if job.idempotency_key is None or patient.layout.key(job.idempotency_key) != path:
        return _ANOTHERS, ""
    return "", job.id


def _put_aside(patient: Patient, path: str, reason: str, bench: Bench) -> str:
    # Whoever submits under a key of this folder waits meanwhile, and would mend the file himself.
    with bench.locked_folder(path.rpartition("/")[0]):
        return bench.put_aside(path, reason, spare=lambda path: not _examined(patient, path)[0])
