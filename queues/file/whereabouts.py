"""From a job id to its record, without an index: the id names the bucket, so a dozen looks find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import DEFAULT_QUEUE, Job, Summary
from queues.file.glances import Glances
from queues.file.layout import PRIORITIES, queue_in
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.tombstones import Tombstones
from queues.record import summary_of

#: A job that keeps moving while it is looked for is found by the next look.
_LOOKS = 8
_GLANCES = 3

_Read = TypeVar("_Read")


class Place(Enum):
    """The four kinds of folders in which a record may lie."""

    FINAL = "outbound"
    RUNNING = "running"
    WAITING = "inbound"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a record lies at the moment of looking."""

    place: Place
    path: str


class Whereabouts:
    """Find and read jobs by id."""

    def __init__(self, site: Site, records: Records, quarantine: Quarantine, tombstones: Tombstones) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._quarantine = quarantine
        self._tombstones = tombstones
        self._glances = Glances(site)
        self._folders: list[tuple[Place, str]] = []
        self.learn_queues()

    def learn_queues(self) -> list[str]:
        """Read which queues there are and return their names."""
        names = self._disk.folders(self._layout.top("inbound"))
        queues = [DEFAULT_QUEUE, *filter(None, map(queue_in, names))]
        levels = [self._layout.level(queue, priority) for queue in queues for priority in PRIORITIES]
        self._folders = [
            (Place.SCHEDULED, self._layout.top("scheduled")),
            *((Place.WAITING, level) for level in levels),
        ]
        return queues

    def look(self, job_id: str) -> Found | None:
        """Look once. Of two records, which only a crash can leave, the final one counts if it is a file."""
        exists, odd = self._disk.exists, None
        for place, path in self._places(job_id):
            if exists(path):
                if place is not Place.FINAL or self._disk.is_file(path):
                    return Found(place, path)
                odd = Found(place, path)
        return odd

    def all_names(self, job_id: str) -> list[Found]:
        """Return every place that has such a record; more than one only after a crash."""
        places = dict.fromkeys(self._places(job_id))
        return [Found(place, path) for place, path in places if self._disk.exists(path)]

    def find(self, job_id: str) -> Found | None:
        """Look again when nothing is seen: a retry may have moved the job back to where we looked before."""
        for _ in range(_GLANCES):
            if (found := self.look(job_id)) is not None:
                return found
            self.learn_queues()
        return None

    def read(self, job_id: str, *, whole_result: bool) -> Job:
        """Return the job. Raises JobNotFound, JobExpired, RecordDamaged."""
        return self._read_where_it_is(
            job_id, lambda found: self._read(found, job_id, whole_result=whole_result)
        )

    def peek(self, job_id: str) -> Summary:
        """Return the job's summary, from memory while its record is the same; raises as `read`."""
        known = self._glances.recall(job_id)
        return known or self._read_where_it_is(job_id, lambda found: self._glanced(found, job_id))

    def is_over(self, job_id: str) -> bool:
        """Return whether the job has ended or was purged.

        Of a job that is over no other record counts: a power cut may have undone its removal.
        """
        return self._disk.is_file(self._layout.final(job_id)) or self._tombstones.has(job_id)

    def is_purged(self, job_id: str) -> bool:
        """Return whether the job ended and was removed."""
        return self._tombstones.has(job_id)

    def _places(self, job_id: str) -> Iterator[tuple[Place, str]]:
        """Yield where the record may lie, in the order in which a job moves, lest it slip past the look."""
        name = f"{job_id[:8]}/{job_id}.json"
        final = Place.FINAL, f"{self._layout.top('outbound')}/{name}"
        yield final
        for place, folder in self._folders:
            yield place, f"{folder}/{name}"
        yield Place.RUNNING, self._layout.running(job_id)
        yield final

    def _read_where_it_is(self, job_id: str, read: Callable[[Found], _Read]) -> _Read:
        for _ in range(_LOOKS):
            found = self.find(job_id)
            if found is None:
                break
            try:
                return read(found)
            except FileNotFoundError:
                continue
        raise self._absence(job_id)

    def _glanced(self, found: Found, job_id: str) -> Summary:
        if found.place is Place.RUNNING:
            return summary_of(self._read(found, job_id, whole_result=False))
        identity = self._glances.identity(found.path)
        summary = summary_of(self._read(found, job_id, whole_result=False))
        self._glances.remember(found.path, identity, summary)
        return summary

    def _read(self, found: Found, job_id: str, *, whole_result: bool) -> Job:
        if found.place is Place.RUNNING:
            return self._records.read_running(found.path, job_id)
        if found.place is not Place.FINAL:
            return self._records.read_waiting(found.path, job_id)
        try:
            return self._records.read_final(found.path, job_id, whole_result=whole_result)
        except RecordDamaged as error:
            if self._tombstones.has(job_id):
                raise JobExpired(job_id) from None  # a crash came while it was being removed
            self._quarantine.put_record(found.path, error)
            raise

    def _absence(self, job_id: str) -> JobNotFound | JobExpired | RecordDamaged:
        if self._tombstones.has(job_id):
            return JobExpired(job_id)
        reason = self._quarantine.reason_for(job_id)
        return JobNotFound(job_id) if reason is None else RecordDamaged(job_id, reason)
