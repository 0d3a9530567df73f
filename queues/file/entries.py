"""What stands in a journal: a line with number, checksum, kind and sizes, then the records of that size.

For example `000000000017 5f3a91c2 stored 412`, and 412 bytes of JSON.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(rb"(\d{12}) ([0-9a-f]{8}) (stored|claimed|ended)((?: \d+)+)\n")


class Kind(StrEnum):
    """What became of the jobs of an entry."""

    STORED = "stored"
    CLAIMED = "claimed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step that was acknowledged as a whole: the records of one job, or of a batch."""

    kind: Kind
    records: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """How many bytes the records have."""
        return sum(map(len, self.records))


def encoded_entry(entry: Entry, number: int) -> bytes:
    """Return the entry as it stands in the journal."""
    counted = b"%012d" % number
    said = f"{entry.kind} {' '.join(str(len(record)) for record in entry.records)}\n".encode()
    content = b"".join(entry.records)
    return b"%b %08x %b%b" % (counted, _checksum(counted, said, content), said, content)


def entries_in(journal: bytes) -> Iterator[Entry]:
    """Yield the whole entries from the beginning on.

    The file is written over and over. So what does not continue the numbers, or does not fit its checksum,
    was never acknowledged, or is left from an earlier round.
    """
    position, expected = 0, None
    while (line := _LINE.match(journal, position)) is not None:
        number, sizes = int(line[1]), [int(size) for size in line[4].split()]
        end = line.end() + sum(sizes)
        said, content = journal[line.start(3) : line.end()], journal[line.end() : end]
        if expected not in (None, number) or _checksum(line[1], said, content) != int(line[2], 16):
            return
        yield Entry(Kind(line[3].decode()), _cut(content, sizes))
        position, expected = end, number + 1


def _checksum(*parts: bytes) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum


def _cut(content: bytes, sizes: list[int]) -> tuple[bytes, ...]:
    records, position = [], 0
    for size in sizes:
        records.append(content[position : position + size])
        position += size
    return tuple(records)
