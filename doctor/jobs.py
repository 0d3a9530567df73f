"""Is every record sound? One pass over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from doctor.actions import unserved
from doctor.ended import flaws_of_ended
from doctor.findings import Flaw
from doctor.journalled import journalled
from doctor.patient import Patient
from doctor.sweep import buckets
from doctor.waiting import flaws_of_waiting
from queues.file.whereabouts import Place

_WORDS = {Place.WAITING: "waiting", Place.SCHEDULED: "deferred", Place.FINAL: "ended"}


def check_jobs(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what is wrong with the records of the jobs that wait, are deferred, or have ended."""
    number: Counter[Place] = Counter()
    queues: set[str] = set()
    restored = journalled(patient).job_ids
    for bucket in buckets(patient):
        number.update(shelf.place for places in bucket.waiting.values() for shelf in places)
        number[Place.FINAL] += len(bucket.ended)
        queues.update(shelf.queue for places in bucket.waiting.values() for shelf in places if shelf.queue)
        yield from flaws_of_waiting(patient, bucket, restored)
        yield from flaws_of_ended(patient, bucket, restored)
    for queue in sorted(queues):
        yield from unserved(patient, queue)
    yield ", ".join(f"{number[place]:,} {word}" for place, word in _WORDS.items())
