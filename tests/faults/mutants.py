"""Engines broken on purpose, each in one place: a harness that does not catch them proves nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.jobs import Job
from queues.file.claims import Claims
from queues.file.disk import Disk
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from queues.file.publishing import Publishing
from queues.file.records import Draft
from queues.record import document_of, encoded

#: The queue fills its image to the last block: what is tested here is not the room.
ROOM = FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0)


class UnsyncedJournal(Disk):
    """Leave it to chance when what stands in the journal becomes durable."""

    def sync_data(self, fd: int) -> None:
        pass


class WipedTooEarly(Disk):
    """Forget what stands in the journal before the files are durable."""

    def sync_all(self, fd: int) -> None:
        pass


def publish_without_keys(publishing: Publishing, drafts: Sequence[Draft]) -> None:
    """Write jobs into the journal as if they had been submitted without a key."""
    jobs = [replace(draft.job, idempotency_key=None) for draft in drafts]
    bare = [encoded(document_of(job)) for job in jobs]
    publish(publishing, [replace(draft, record=record) for draft, record in zip(drafts, bare, strict=True)])


def publish_one_by_one(publishing: Publishing, drafts: Sequence[Draft]) -> None:
    """Write each job of a batch into the journal by itself."""
    for draft in drafts:
        publish(publishing, [draft])


def end_unwritten(publishing: Publishing, job: Job) -> None:
    """Show a final record of which the journal knows nothing."""
    draft = publishing._records.draft_final(job)
    publishing._records.write(draft)
    publishing._link_final(draft)


def create_then_delete(publishing: Publishing, path: str, job: Job) -> None:
    """Put a job back as a first draft did: the new record first, then away with the old one.

    Meanwhile another worker claims the new record over the old one, and its claim is what is deleted. The
    pause, as of a busy disk, lets that happen every time instead of once in ten thousand.
    """
    publishing.publish([publishing._records.write_waiting(job)])
    threading.Event().wait(0.001)
    publishing._disk.unlink(path)


publish = Publishing.publish


def _patched(part: type, name: str, wrong: Callable[..., None]) -> Callable[[str], FileEngine]:
    # The process that opens a mutant runs nothing else, so the class itself may be broken.
    def opened(base: str) -> FileEngine:
        setattr(part, name, wrong)
        return FileEngine(base, ROOM)

    return opened


def _on(disk: Callable[[], Disk]) -> Callable[[str], FileEngine]:
    return lambda base: FileEngine(base, ROOM, disk=disk())


#: What is broken, to the maker of an engine that is broken so.
MUTANTS: dict[str, Callable[[str], FileEngine]] = {
    "unsynced-journal": _on(UnsyncedJournal),
    "wiped-too-early": _on(WipedTooEarly),
    "forgotten-claims": _patched(Claims, "_write_down", lambda *_: None),
    "keyless-entries": _patched(Publishing, "publish", publish_without_keys),
    "batches-in-parts": _patched(Publishing, "publish", publish_one_by_one),
    "forgotten-ends": _patched(Publishing, "end", end_unwritten),
    "create-then-delete": _patched(Publishing, "requeue", create_then_delete),
}
