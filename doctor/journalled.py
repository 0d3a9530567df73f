"""What the journals of the dead will put right: of such jobs a damaged record says nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from core.errors import Unsupported
from core.strict_json import BadJson, parse
from doctor.patient import Patient
from queues.file.entries import entries_in


@dataclass(frozen=True, slots=True)
class Journalled:
    """The jobs that stand in journals which nobody holds."""

    job_ids: frozenset[str]
    #: The files of their idempotency keys.
    keys: frozenset[str]


def journalled(patient: Patient) -> Journalled:
    """Return the jobs that the next opening of the queue will see to."""
    named = [(document.get("id"), document.get("idempotency_key")) for document in _documents(patient)]
    return Journalled(
        frozenset(job_id for job_id, _ in named if isinstance(job_id, str)),
        frozenset(patient.layout.key(key) for _, key in named if isinstance(key, str)),
    )


def _documents(patient: Patient) -> Iterator[dict[str, object]]:
    for path in patient.dead_journals():
        with suppress(FileNotFoundError, Unsupported):
            for entry in entries_in(patient.disk.read_file(path)):
                for record in entry.records:
                    with suppress(BadJson):
                        document = parse(record)
                        if isinstance(document, dict):
                            yield document
