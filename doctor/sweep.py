"""The sweep through all buckets, oldest first: however many jobs there are, one bucket is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import Unsupported
from doctor.patient import Patient
from queues.file.layout import PRIORITIES, job_ids_in
from queues.file.whereabouts import Place

_RESULT = ".result.json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder that holds buckets."""

    place: Place
    path: str
    #: The queue whose jobs wait there; empty for other places.
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """All records whose ids begin alike, wherever they lie."""

    name: str
    #: Ids of ended and of purged jobs.
    ended: frozenset[str]
    purged: frozenset[str]
    #: Ids that have a file with their result.
    results: frozenset[str]
    #: Id to the shelves on which the job waits: one, if all is well.
    waiting: dict[str, list[Shelf]]

    def path(self, shelf: Shelf, job_id: str) -> str:
        """Return the record of a job that waits."""
        return f"{shelf.path}/{self.name}/{job_id}.json"


def shelves(patient: Patient) -> list[Shelf]:
    """Return every folder that holds buckets of waiting or deferred jobs, the first in line first."""
    layout = patient.layout
    levels = [
        Shelf(Place.WAITING, layout.level(queue, priority), queue)
        for queue in patient.whereabouts.learn_queues()
        for priority in PRIORITIES
    ]
    return [*levels, Shelf(Place.SCHEDULED, layout.top("scheduled"))]


def buckets(patient: Patient) -> Iterator[Bucket]:
    """Yield every bucket. What moves while it is being listed may be seen twice or not at all."""
    outbound, known = patient.layout.top("outbound"), shelves(patient)
    below = {shelf: set(patient.site.folders.buckets(shelf.path)) for shelf in known}
    names = set(patient.site.folders.buckets(outbound)).union(*below.values())
    for name in sorted(names):
        waiting: dict[str, list[Shelf]] = {}
        for shelf in known:
            if name in below[shelf]:
                for job_id in job_ids_in(name, patient.disk.names(f"{shelf.path}/{name}")):
                    waiting.setdefault(job_id, []).append(shelf)
        found = patient.disk.names(f"{outbound}/{name}")
        results = (entry.removesuffix(_RESULT) + ".json" for entry in found if entry.endswith(_RESULT))
        yield Bucket(
            name,
            ended=frozenset(job_ids_in(name, found)),
            purged=_purged(patient, name),
            results=frozenset(job_ids_in(name, results)),
            waiting=waiting,
        )


def _purged(patient: Patient, bucket: str) -> frozenset[str]:
    try:
        text = patient.disk.read_file(patient.layout.tombstones(bucket))
    except (FileNotFoundError, Unsupported):
        return frozenset()
    return frozenset(text.decode(errors="replace").split())
