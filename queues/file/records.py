"""Records read and written: what the folder says of a job is joined to what the file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.errors import RecordDamaged, Unsupported
from core.jobs import Job, Json, State
from core.strict_json import BadJson, parse
from queues.fields import Reader, number, optional_number, optional_text, progress, whole
from queues.file.disk import CLAIMED_BIT
from queues.file.quarantine import NotAFile
from queues.file.site import Site
from queues.record import decoded, document_of, encoded, encoded_value, job_from

#: Bytes of JSON above which a result is kept in a file of its own beside the record.
LARGE_RESULT = 64 * 1024
_BESIDE = "result_file"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies on the disk, with what its inode says."""

    job: Job
    #: Whether it was claimed since it was written.
    claimed: bool
    mtime: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A record on its way: where it lies, or is to lie, in the scratch folder until it gets its place."""

    job: Job
    path: str
    record: bytes
    #: The file time that it is to have, in Unix seconds.
    mtime: float | None = None


class Records:
    """Read and write the records of one site."""

    def __init__(self, site: Site) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._site = site

    def read_open(self, fd: int, job_id: str) -> Record:
        """Return the record in an open file as queued. Raises RecordDamaged."""
        status = self._disk.status_of(fd)
        job = job_from(decoded(self._disk.read(fd), job_id=job_id), job_id=job_id, state=State.QUEUED)
        # The first record of a job is never rewritten in place, so in running/ it was claimed, bit or no bit.
        claimed = job.version == 1 or bool(status.st_mode & CLAIMED_BIT)
        return Record(job, claimed, status.st_mtime)

    def read_waiting(self, path: str, job_id: str) -> Job:
        """Return the waiting or scheduled job. Raises RecordDamaged, FileNotFoundError."""
        return self._read(path, job_id).job

    def read_running(self, path: str, job_id: str) -> Job:
        """Return the job as its attempt has made it so far. Raises RecordDamaged, FileNotFoundError."""
        record = self._read(path, job_id)
        return self.as_running(record) if record.claimed else record.job

    def as_running(self, record: Record) -> Job:
        """Return what a claimed record means: one attempt more, and what the attempt has said meanwhile."""
        job = record.job
        live = self._live(job.id)
        running = replace(
            job,
            state=State.RUNNING,
            version=job.version + 1 + live["changes"],
            attempt=job.attempt + 1,
            started_at=live.get("started_at", record.mtime),
            worker=live.get("worker"),
            lease_until=live.get("lease_until"),
            run_after=None,
            progress=live.get("progress"),
        )
        return self.with_cancel(running)

    def with_cancel(self, job: Job) -> Job:
        """Return the running job with the cancellation that somebody asked for, if somebody did."""
        reason = None if job.cancel_requested else self.cancel_reason(job.id, job.attempt)
        if reason is None:
            return job
        return replace(job, version=job.version + 1, cancel_requested=True, cancel_reason=reason)

    def cancel_reason(self, job_id: str, attempt: int) -> str | None:
        """Return why that attempt is to stop; None when nobody asked, or asked an earlier attempt."""
        path = self._layout.cancel(job_id)
        if not self._disk.exists(path):
            return None
        try:
            wish = parse(self._disk.read_file(path))
            return str(wish["reason"]) if wish["attempt"] == attempt else None
        except FileNotFoundError:
            return None
        except (BadJson, Unsupported, KeyError, TypeError):
            return "Somebody left a file that asks for it."

    def read_final(self, path: str, job_id: str, *, whole_result: bool) -> Job:
        """Return the ended job, with its result if wanted. Raises RecordDamaged, FileNotFoundError."""
        document = decoded(self._file(path, job_id), job_id=job_id)
        beside = document.pop(_BESIDE, None)
        job = job_from(document, job_id=job_id)
        if not job.state.ended:
            raise RecordDamaged(job_id, "The field 'state' does not say how the job ended.")
        if beside is None or not whole_result:
            return job
        return replace(job, result=self._large_result(job_id))

    def write(self, draft: Draft) -> None:
        """Write a draft, not durably."""
        self._disk.write_new(draft.path, draft.record, sync=False, mtime=draft.mtime)

    def write_waiting(self, job: Job) -> Draft:
        """Draft a queued job's record and write it."""
        draft = self.draft_waiting(job)
        self.write(draft)
        return draft

    def draft_waiting(self, job: Job) -> Draft:
        """Return a queued job's record as it is to be written."""
        return Draft(job, self._site.scratch(job.id), encoded(document_of(job)), _date_of(job))

    def draft_final(self, job: Job) -> Draft:
        """Return an ended job's record as it is to be written; a large result is durable already."""
        document = document_of(job)
        result = encoded_value(job.result)
        if len(result) > LARGE_RESULT:
            self._write_result(job, result)
            del document["result"]
            document[_BESIDE] = f"{job.id}.result.json"
        return Draft(job, self._site.scratch(job.id), encoded(document))

    def write_live(self, job: Job, *, changes: int) -> None:
        """Write down what a running attempt says of itself; soon outdated, so never synced."""
        document = document_of(job)
        live = {name: document[name] for name in _LIVE if name in document} | {"changes": changes}
        draft = self._site.live_scratch(job.id)
        try:
            self._disk.write_new(draft, encoded(live), sync=False)
        except FileNotFoundError:  # somebody cleared a folder that is there to be cleared
            self._disk.make_folder(self._layout.live)
            self._disk.write_new(draft, encoded(live), sync=False)
        try:
            self._disk.rename(draft, self._layout.live_file(job.id))
        except IsADirectoryError:
            self._site.discard(draft)  # somebody's folder is in the way; the job goes on without being seen

    def _read(self, path: str, job_id: str) -> Record:
        try:
            fd = self._disk.open(path)
        except Unsupported as error:
            raise NotAFile(job_id, error.message) from None
        try:
            return self.read_open(fd, job_id)
        finally:
            self._disk.close(fd)

    def _file(self, path: str, job_id: str) -> bytes:
        try:
            return self._disk.read_file(path)
        except Unsupported as error:
            raise NotAFile(job_id, error.message) from None

    def _live(self, job_id: str) -> dict[str, Any]:
        """Return the checked fields of the live file; none when it is gone, as after a reboot, or damaged."""
        try:
            document = {"changes": 0} | parse(self._disk.read_file(self._layout.live_file(job_id)))
            return {name: read(name, document) for name, read in _LIVE.items() if name in document}
        except (OSError, BadJson, Unsupported, ValueError, TypeError):
            return {"changes": 0}

    def _large_result(self, job_id: str) -> Json:
        try:
            return parse(self._file(self._layout.result(job_id), job_id))
        except FileNotFoundError:
            raise RecordDamaged(job_id, "The file with its result is missing.") from None
        except BadJson as error:
            raise RecordDamaged(job_id, f"Its result: {error.message}") from None

    def _write_result(self, job: Job, result: bytes) -> None:
        draft = self._site.scratch(job.id)
        self._disk.write_new(draft, result + b"\n")
        folder = self._layout.ended(job.id)
        self._site.folders.place(self._disk.rename, draft, folder, f"{job.id}.result.json")
        self._site.folders.settle(folder)


def _date_of(job: Job) -> float | None:
    """Return the file time by which a record is looked up: when it is due, or how old its key is."""
    return job.submitted_at if job.run_after is None and job.idempotency_key is not None else job.run_after


#: What a live file may say.
_LIVE: dict[str, Reader] = {
    "changes": whole,
    "worker": optional_text,
    "started_at": number,
    "lease_until": optional_number,
    "progress": progress,
}
