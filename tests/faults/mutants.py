"""Engines broken on purpose, each in one place: a harness that does not catch them proves nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.jobs import Job
from queues.file.disk import Disk, OpenFolder
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from queues.file.publishing import Publishing

#: The queue fills its image to the last block: what is tested here is not the room.
ROOM = FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0)


class UnsyncedFiles(Disk):
    """Give records their names before their content is on the disk."""

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        super().write_new(path, data, sync=False, mtime=mtime)


@dataclass
class UnsyncedFolders(Disk):
    """Leave it to chance when the names in some folders become durable."""

    part: str

    def sync_folder(self, folder: OpenFolder) -> None:
        if self.part not in folder.path + "/":
            super().sync_folder(folder)


def create_then_delete(publishing: Publishing, path: str, job: Job) -> None:
    """Put a job back as a first draft did: the new record first, then away with the old one.

    Meanwhile another worker claims the new record over the old one, and its claim is what is deleted. The
    pause, as of a busy disk, lets that happen every time instead of once in ten thousand.
    """
    publishing.place_waiting(publishing._records.write_waiting(job), job)
    threading.Event().wait(0.001)
    publishing._disk.unlink(path)


def _retrying_wrongly(base: str) -> FileEngine:
    # The process that opens a mutant runs nothing else, so the class itself may be broken.
    Publishing.requeue = create_then_delete  # type: ignore[method-assign]
    return FileEngine(base, ROOM)


def _on(disk: Callable[[], Disk]) -> Callable[[str], FileEngine]:
    return lambda base: FileEngine(base, ROOM, disk=disk())


#: What is broken, to the maker of an engine that is broken so.
MUTANTS: dict[str, Callable[[str], FileEngine]] = {
    "unsynced-files": _on(UnsyncedFiles),
    "unsynced-inbound": _on(lambda: UnsyncedFolders("/inbound/")),
    "unsynced-outbound": _on(lambda: UnsyncedFolders("/outbound/")),
    "unsynced-running": _on(lambda: UnsyncedFolders("/running/")),
    "unsynced-batches": _on(lambda: UnsyncedFolders("/batches/")),
    "create-then-delete": _retrying_wrongly,
}
