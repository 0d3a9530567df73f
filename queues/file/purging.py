"""What is old goes: ended jobs leave a tombstone, everything else of theirs is removed."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from itertools import islice

from core.errors import RecordDamaged, Unsupported
from core.strict_json import BadJson, parse
from queues.file.layout import bucket_start, job_ids_in
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.tombstones import REMEMBERED, Tombstones
from queues.file.whereabouts import Whereabouts
from queues.record import job_of

#: Seconds that an idempotency key outlives its submission at least, whatever became of the job.
KEY_KEPT = 24 * 3600.0


class Purging:
    """Remove ended jobs, and in time what is remembered of them."""

    def __init__(
        self,
        site: Site,
        *,
        records: Records,
        quarantine: Quarantine,
        tombstones: Tombstones,
        whereabouts: Whereabouts,
    ) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._folders = site.folders
        self._records = records
        self._quarantine = quarantine
        self._tombstones = tombstones
        self._whereabouts = whereabouts
        self._next_key_folder = 0

    def purge(self, before: float, *, limit: int) -> int:
        """Remove up to `limit` jobs that ended before that time and return how many."""
        job_ids = list(islice(self._outdated(before), limit))
        self._tombstones.put(job_ids, at=before)
        for job_id in job_ids:
            self._remove(job_id)
        for bucket in {self._layout.ended(job_id) for job_id in job_ids}:
            self._folders.remove_if_empty(bucket)
        self._tombstones.forget(before - REMEMBERED)
        self._drop_keys(before - KEY_KEPT)
        return len(job_ids)

    def _outdated(self, before: float) -> Iterator[str]:
        """Yield jobs that ended before that time, oldest submission first."""
        top = self._layout.top("outbound")
        for bucket in self._folders.buckets(top):
            if bucket_start(bucket) >= before:
                return  # no job ends before its submission
            for job_id in sorted(job_ids_in(bucket, self._disk.names(f"{top}/{bucket}"))):
                if self._ended_before(f"{top}/{bucket}/{job_id}.json", job_id, before):
                    yield job_id

    def _ended_before(self, path: str, job_id: str, before: float) -> bool:
        try:
            ended_at = self._records.read_final(path, job_id, whole_result=False).ended_at
        except FileNotFoundError:
            return False
        except RecordDamaged as error:
            self._quarantine.put_record(path, error)
            return False
        return ended_at is not None and ended_at < before

    def _remove(self, job_id: str) -> None:
        layout = self._layout
        for path in (layout.result(job_id), layout.failed(job_id), layout.log(job_id), layout.final(job_id)):
            with contextlib.suppress(FileNotFoundError):
                self._disk.unlink(path)

    def _drop_keys(self, before: float) -> None:
        """Drop the keys of jobs that are no more, in one folder of keys at each call lest one take long."""
        top = self._layout.top("keys")
        folders = sorted(self._disk.folders(top))
        if not folders:
            return
        self._next_key_folder += 1
        folder = f"{top}/{folders[self._next_key_folder % len(folders)]}"
        for name in self._disk.names(folder):
            path = f"{folder}/{name}"
            status = self._disk.status(path)
            is_old = stat.S_ISREG(status.st_mode) and status.st_mtime < before
            if is_old and self._is_outlived(path, before):
                self._disk.unlink(path)

    def _is_outlived(self, path: str, before: float) -> bool:
        """Return whether the key's job was submitted before that time and is no more."""
        try:
            first = job_of(parse(self._disk.read_file(path)))
        except (BadJson, Unsupported, ValueError):
            return True
        return first.submitted_at < before and self._whereabouts.find(first.id) is None
