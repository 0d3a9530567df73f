"""What a bus answers piece by piece: the log of a job, and the files that it has made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode

from client.errors import BadInput, HungUp
from client.line import Line
from client.printable import printable

_PAGE = 1_000  # entries
_PIECE = 1 << 16  # bytes
#: A log that is followed sends an empty line every fifteen seconds.
_SIGN_OF_LIFE = 60.0


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that a job has made: its path below the job's folder, and its size in bytes."""

    name: str
    size: int


def logged(line: Line, job_id: str, *, level: str = "") -> Iterator[dict[str, Any]]:
    """Yield the entries of a job's log as far as it goes."""
    offset = 0
    while True:
        page = line.ask("GET", _logs_of(job_id, offset=offset, limit=_PAGE, level=level))
        yield from page["entries"]
        if page["next_offset"] - offset < _PAGE:
            return
        offset = page["next_offset"]


def followed(line: Line, job_id: str, *, level: str = "") -> Iterator[dict[str, Any]]:
    """Yield the entries of a job's log as they are written, until the job has ended."""
    target = _logs_of(job_id, follow="true", level=level)
    with line.answered("GET", target, patience=_SIGN_OF_LIFE) as answer:
        for text in answer:
            if text.strip():
                yield json.loads(text)


def listed(line: Line, job_id: str) -> tuple[list[JobFile], bool]:
    """Return the files that a job has made, 1,000 at most, and whether there are more."""
    found = line.ask("GET", f"/api/jobs/{quote(job_id, safe='')}/files")
    return [JobFile(str(one["name"]), int(one["size"])) for one in found["files"]], bool(found["more"])


def saved(line: Line, job_id: str, file: JobFile, folder: Path) -> Path:
    """Save a file below a folder under its own name, and return where; half of one is never left there.

    Raises BadInput when it cannot be written there, or when its name leads out of the folder.
    """
    place = _place(folder, file.name)
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    target = f"/api/jobs/{quote(job_id, safe='')}/files/{quote(file.name, safe='/')}"
    with line.answered("GET", target) as answer:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(answer, part)
            part.replace(place)
        except (HTTPException, TimeoutError, ConnectionError) as error:
            raise HungUp(f"{file.name} broke off in its middle: {error!r}.") from None
        except OSError as error:
            raise BadInput(f"{place}: {error.strerror}.", hint="Name another folder.") from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return place


def _write(answer: Any, part: Path) -> None:
    with part.open("wb") as file:
        while piece := answer.read(_PIECE):
            file.write(piece)
    if answer.length:
        raise ConnectionError("the bus hung up")


def _place(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name
    if leads_out or printable(name) != name:
        raise BadInput(f"The job has a file named {name!a}, which is not saved: it may lead anywhere.")
    return folder.joinpath(*path.parts)


def _logs_of(job_id: str, **query: Any) -> str:
    given = urlencode({name: value for name, value in query.items() if value != ""})
    return f"/api/jobs/{quote(job_id, safe='')}/logs?{given}"
