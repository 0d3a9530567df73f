"""Where everything lies under QUEUE_BASE_PATH. Pure: paths from names, nothing is touched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import InvalidRequest
from core.ids import JOB_ID
from core.jobs import DEFAULT_QUEUE, HIGHEST_PRIORITY, LOWEST_PRIORITY
from queues.fields import QUEUE_NAME

#: The folders that are made when the engine is opened, and never again: their loss must show.
TOP = (
    "inbound",
    "scheduled",
    "running",
    "outbound",
    "failed",
    "quarantine",
    "keys",
    "tmp",
    "locks",
    "logs",
    "tombstones",
    "journal",
)
#: Higher numbers go first.
PRIORITIES = tuple(range(HIGHEST_PRIORITY, LOWEST_PRIORITY - 1, -1))

_BUCKET = re.compile(r"[0-9a-f]{8}")
_RECORD = re.compile(JOB_ID.pattern + r"\.json")


def bucket_of(job_id: str) -> str:
    """Return the first 8 hex digits of a UUIDv7: all ids of the same 65.536 seconds share them."""
    return job_id[:8]


def is_bucket(name: str) -> bool:
    """Return whether a folder of that name can be a bucket."""
    return _BUCKET.fullmatch(name) is not None


def bucket_start(bucket: str) -> float:
    """Return when a bucket's time begins, in Unix seconds."""
    return (int(bucket, 16) << 16) / 1000


def job_id_in(name: str) -> str | None:
    """Return the job id that a record's file name carries; None for the name of anything else."""
    return name[:-5] if _RECORD.fullmatch(name) else None


def job_ids_in(bucket: str, names: Iterable[str]) -> list[str]:
    """Return the ids of the records among a bucket's names, less those that belong in another bucket."""
    return [job_id for name in names if name.startswith(bucket) and (job_id := job_id_in(name))]


def queue_in(name: str) -> str | None:
    """Return the queue whose jobs a folder in inbound/ holds; None for a folder of somebody else's making."""
    return name[2:] if name.startswith("q-") and QUEUE_NAME.fullmatch(name[2:]) else None


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one base folder; `live` may be elsewhere, on a file system that forgets."""

    base: str
    live: str

    def level(self, queue: str, priority: int) -> str:
        """Return the folder of one priority of one queue."""
        return f"{self.queue(queue)}/p{priority}"

    def queue(self, queue: str) -> str:
        """Return the folder of a queue. Raises InvalidRequest for a name that cannot be a folder's."""
        if queue == DEFAULT_QUEUE:
            return f"{self.base}/inbound"
        if not QUEUE_NAME.fullmatch(queue):
            raise InvalidRequest("queue", "1 to 64 letters, digits, dots, hyphens and underscores.")
        return f"{self.base}/inbound/q-{queue}"

    def waiting(self, queue: str, priority: int, job_id: str) -> str:
        """Return the bucket in which such a job waits."""
        return f"{self.level(queue, priority)}/{job_id[:8]}"

    def scheduled(self, job_id: str) -> str:
        """Return the bucket in which the job lies until it is due."""
        return f"{self.base}/scheduled/{job_id[:8]}"

    def running(self, job_id: str) -> str:
        """Return the record of the running job."""
        return f"{self.base}/running/{job_id}.json"

    def cancel(self, job_id: str) -> str:
        """Return the file that asks the running job to stop."""
        return f"{self.base}/running/{job_id}.cancel"

    def live_file(self, job_id: str) -> str:
        """Return the file with the running job's progress."""
        return f"{self.live}/{job_id}.json"

    def ended(self, job_id: str) -> str:
        """Return the bucket of the final record."""
        return f"{self.base}/outbound/{job_id[:8]}"

    def final(self, job_id: str) -> str:
        """Return the final record."""
        return f"{self.base}/outbound/{job_id[:8]}/{job_id}.json"

    def result(self, job_id: str) -> str:
        """Return the large result beside the final record."""
        return f"{self.base}/outbound/{job_id[:8]}/{job_id}.result.json"

    def failed(self, job_id: str) -> str:
        """Return the second name of a failed job's final record: a view for people."""
        return f"{self.base}/failed/{job_id}.json"

    def key(self, key: str) -> str:
        """Return the file that remembers an idempotency key."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return f"{self.base}/keys/{digest[:2]}/{digest}.json"

    def log(self, job_id: str) -> str:
        """Return the job's log."""
        return f"{self.base}/logs/{job_id[:8]}/{job_id}.log"

    def tombstones(self, bucket: str) -> str:
        """Return the list of the purged jobs of a bucket."""
        return f"{self.base}/tombstones/{bucket}.txt"

    def top(self, name: str) -> str:
        """Return one of the top folders."""
        return f"{self.base}/{name}"
