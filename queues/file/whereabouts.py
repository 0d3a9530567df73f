"""From a job id to its record, without an index: the id names the bucket, so a dozen looks find it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import DEFAULT_QUEUE, Job
from queues.file.layout import PRIORITIES
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.tombstones import Tombstones

#: A job that keeps moving while it is looked for is found by the next look.
_LOOKS = 8


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
        self.queues: list[str] = [DEFAULT_QUEUE]
        self.learn_queues()

    def learn_queues(self) -> list[str]:
        """Read which queues there are and return their names."""
        names = self._disk.names(self._layout.top("inbound"))
        self.queues = [DEFAULT_QUEUE, *(name[2:] for name in names if name.startswith("q-"))]
        return self.queues

    def look(self, job_id: str) -> Found | None:
        """Look once; later states first, so that of two records the one counts that was made later."""
        exists = self._disk.exists
        return next((found for found in self._places(job_id) if exists(found.path)), None)

    def find(self, job_id: str) -> Found | None:
        """Look again when nothing is seen: the job may have moved from a place not yet to one already seen."""
        found = self.look(job_id)
        if found is None:
            self.learn_queues()
            found = self.look(job_id)
        return found

    def read(self, job_id: str, *, whole_result: bool) -> Job:
        """Return the job. Raises JobNotFound, JobExpired, RecordDamaged."""
        for _ in range(_LOOKS):
            found = self.find(job_id)
            if found is None:
                break
            try:
                return self._read(found, job_id, whole_result=whole_result)
            except FileNotFoundError:
                continue
        raise self._absence(job_id)

    def _places(self, job_id: str) -> Iterator[Found]:
        layout = self._layout
        yield Found(Place.FINAL, layout.final(job_id))
        yield Found(Place.RUNNING, layout.running(job_id))
        for queue in self.queues:
            folder, rest = layout.queue(queue), f"{job_id[:8]}/{job_id}.json"
            for priority in PRIORITIES:
                yield Found(Place.WAITING, f"{folder}/p{priority}/{rest}")
        yield Found(Place.SCHEDULED, f"{layout.scheduled(job_id)}/{job_id}.json")

    def _read(self, found: Found, job_id: str, *, whole_result: bool) -> Job:
        if found.place is Place.RUNNING:
            return self._records.read_running(found.path, job_id)
        if found.place is not Place.FINAL:
            return self._records.read_waiting(found.path, job_id)
        try:
            return self._records.read_final(found.path, job_id, whole_result=whole_result)
        except RecordDamaged as error:
            self._quarantine.put(found.path, error.message)
            raise

    def _absence(self, job_id: str) -> JobNotFound | JobExpired | RecordDamaged:
        if self._tombstones.has(job_id):
            return JobExpired(job_id)
        reason = self._quarantine.reason_for(job_id)
        return JobNotFound(job_id) if reason is None else RecordDamaged(job_id, reason)
