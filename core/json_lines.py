"""Files of JSON objects, a line each: added to, never rewritten. A damaged line costs only itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from core.jobs import Json
from core.strict_json import BadJson, parse

#: What reading an object may raise when it is not what was written.
DAMAGE = (BadJson, LookupError, TypeError, ValueError, OverflowError, AttributeError)


def append_line(path: Path, entry: Mapping[str, Json]) -> None:
    """Add an object to the file, and return when it is on the disk. Raises OSError.

    Makes the file's own folder and nothing above. A line that a power cut has torn is ended first, or it
    would take the new one with it.
    """
    path.parent.mkdir(exist_ok=True)
    line = json.dumps(entry, ensure_ascii=False).encode()
    with path.open("a+b") as file:
        torn = file.tell() > 0 and not _ends_a_line(file.fileno(), file.tell())
        file.write((b"\n" if torn else b"") + line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path, tell: Callable[[str], object]) -> Iterator[tuple[int, Json]]:
    """Yield number and object of each line, nothing when there is no file; `tell` of each damaged line.

    Raises OSError when the file is there and cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, parse(line)
            except BadJson as error:
                tell(f"{path}:{number} is damaged and left out: {error.message}")


def _ends_a_line(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"
