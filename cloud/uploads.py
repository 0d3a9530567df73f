"""Uploads to Google Cloud Storage: small ones in one request, larger ones piece by piece."""

from __future__ import annotations

from typing import BinaryIO

from cloud.google_api import Machine
from cloud.google_refusal import GoogleFailed, Grant
from cloud.http import Answer, Request

#: Bytes of a piece, which is held in memory; Google wants a multiple of 256 KiB.
PIECE = 8 << 20
#: Seconds that a piece may take.
LONGEST_WAIT = 60.0

_MORE = 308  # what is said of a piece after which others are wanted


def upload(
    machine: Machine, url: str, source: BinaryIO, *, size: int, content_type: str, grant: Grant
) -> None:
    """Write an object of `size` bytes; `url` names it in its query. Raises GoogleFailed.

    It is there as a whole or not at all, and may be written again at any time.
    """
    if size <= PIECE:
        whole = Request("POST", f"{url}&uploadType=media", {"Content-Type": content_type}, source.read(size))
        machine.send(whole, grant=grant, limit=LONGEST_WAIT)
        return
    session = _begun(machine, url, size=size, content_type=content_type, grant=grant)
    start = 0
    while start < size:
        source.seek(start)
        piece = source.read(min(PIECE, size - start))
        told = {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{size}"}
        # Pieces are sent again without harm: what is there already is passed over.
        request = Request("PUT", session, told, piece)
        answer = machine.send(request, grant=grant, limit=LONGEST_WAIT, also={_MORE})
        has_all = answer.status != _MORE
        taken = size if has_all else _taken(answer)
        if not start < taken <= start + len(piece) or (taken == size) is not has_all:
            raise GoogleFailed(f"Byte {start:,} of {size:,} was not taken as it should be.")
        start = taken


def _begun(machine: Machine, url: str, *, size: int, content_type: str, grant: Grant) -> str:
    told = {"X-Upload-Content-Type": content_type, "X-Upload-Content-Length": str(size)}
    request = Request("POST", f"{url}&uploadType=resumable", told, b"")
    answer = machine.send(request, grant=grant)
    session = answer.headers.get("location", "")
    if not session.startswith(f"{machine.google.storage}/"):  # The pieces go there with a token.
        raise GoogleFailed("Google named no place for the upload.")
    return session


def _taken(answer: Answer) -> int:
    """Return how many bytes of an upload are there; it may be less than what was sent."""
    _, _, last = answer.headers.get("range", "").rpartition("-")
    return int(last) + 1 if last.isdecimal() else 0
