"""One file of a journal: written full of zeros in advance, so that a sync has only data to write."""

from __future__ import annotations

from queues.file.disk import Disk
from queues.file.entries import Entry, encoded_entry


class Volume:
    """A file that takes entries until it is closed, and can be used again once its jobs' files are durable.

    Its lock is held as long as the engine object lives; whoever gets the lock sees to what stands in it.
    """

    def __init__(self, disk: Disk, path: str, *, step: int) -> None:
        """Create the file, not yet durably; leave nothing behind when that fails."""
        self._disk = disk
        self._step = step
        self.path = path
        self.fd = disk.create(path)
        self._end = 0  # where the next entry goes
        self._zeros = 0  # up to where the file exists
        #: Entries whose names are not in their places yet.
        self.unfinished: list[Entry] = []
        try:
            disk.lock(self.fd)
            self._grow(step)
        except BaseException:
            self.close()
            raise

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return self._end == 0

    @property
    def size(self) -> int:
        """How many bytes the file takes."""
        return self._zeros

    def prepared(self, entries: list[Entry], first: int) -> bytes:
        """Return the entries as they will stand here, numbered from `first`, and make room for them."""
        data = b"".join(encoded_entry(entry, number) for number, entry in enumerate(entries, first))
        if self._end + len(data) > self._zeros:
            self._grow(self._end + len(data) - self._zeros)
        return data

    def commit(self, data: bytes) -> None:
        """Add what `prepared` returned; durable when this returns."""
        self._disk.write_at(self.fd, data, self._end)
        self._disk.sync_data(self.fd)
        self._end += len(data)

    def move(self, path: str) -> None:
        """Give the file another name, not yet durably."""
        self._disk.rename(self.path, path)
        self.path = path

    def wipe(self) -> None:
        """Forget the entries. That need not be durable: what they say is true without them."""
        self._disk.write_at(self.fd, b"\0", 0)
        self._end = 0

    def close(self) -> None:
        """Let go of the file, and remove it if nothing stands in it."""
        try:
            if self.is_blank:
                self._disk.unlink(self.path)
        except OSError:
            return  # it says nothing: whoever finds it removes it
        finally:
            self._disk.close(self.fd)

    def _grow(self, least: int) -> None:
        """Append zeros. Blocks that exist are overwritten without a change of the file system's own data."""
        steps = -(-least // self._step)
        self._disk.write_at(self.fd, bytes(steps * self._step), self._zeros)
        self._zeros += steps * self._step
