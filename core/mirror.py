"""The seam of the mirror, in which clients read results while the machine is off, and leave jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from core.errors import BusError

#: The folders of a mirror.
RESULTS, STATUSES, FILES = "results", "statuses", "files"
INBOX, RECEIPTS, REFUSED = "inbox", "receipts", "refused"


class MirrorFailed(BusError):
    """The mirror does not answer, or refuses; what was to be published waits."""

    code = "mirror_failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Something that lies in the mailbox."""

    #: Its name within the mailbox's folder.
    name: str
    #: In bytes.
    size: int
    #: Becomes another one when its content does.
    tag: str
    #: When it was last written to, in Unix seconds; None where whatever lies there is whole.
    modified: float | None = None
    #: Whether it is a file, which may be opened.
    regular: bool = True


class Mirror(Protocol):
    """A folder or a bucket. A path is a folder of the mirror and a name in it, with slashes between.

    Every method but `check` raises MirrorFailed when the mirror does not answer or refuses.
    """

    #: Seconds between two looks into its mailbox.
    interval: float

    @property
    def name(self) -> str:
        """What the setting calls it."""
        ...

    def check(self) -> str | None:
        """Return what will keep it from working, and the remedy, in a sentence; else None."""
        ...

    def put(self, path: str, source: BinaryIO, *, size: int, content_type: str) -> None:
        """Write a file of `size` bytes, in place of one that is there; readers never see half of it."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """Return the names of the files in a folder; none when it is not there."""
        ...

    def left(self) -> list[Left]:
        """Return what lies in the mailbox, by name."""
        ...

    def get(self, left: Left) -> bytes | None:
        """Return the content of what lies in the mailbox; None when it has gone or changed meanwhile.

        Raises InvalidRequest when nobody but its owner may read it.
        """
        ...

    def remove(self, left: Left) -> None:
        """Remove something from the mailbox, unless it has gone or changed meanwhile."""
        ...

    def put_aside(self, left: Left) -> None:
        """Move something to the folder of what was refused, unless it has gone or changed meanwhile."""
        ...
