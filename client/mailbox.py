"""Leaves a job in the mirror of a bus whose machine cannot be started; it becomes one at the next start."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from client.errors import BadInput, Refused, Unreachable
from client.google_login import login
from client.line import Line
from client.mirror import STORAGE
from core.clock import Clock, SystemClock
from core.mirror import INBOX, RECEIPTS
from core.whole_file import write_whole

_LONGEST = 1 << 20  # bytes, above which the bus would put it aside


@dataclass(frozen=True, slots=True)
class Left:
    """Where a job lies, and where it will be told what became of it."""

    path: str
    receipt: str


def leave(document: Mapping[str, Any], mirror: str, *, url: str = "", clock: Clock | None = None) -> Left:
    """Leave a submission in the mailbox of a mirror, `folder:/path` or `gs://bucket/prefix`.

    `document` is the body of `POST /inbound` for one job; `url` is where Cloud Storage is asked, elsewhere
    than at its own address only in tests. Raises BadInput for one that is too long, and
    Unreachable when it cannot be left there.
    """
    text = json.dumps(document)
    if len(text) > _LONGEST:
        raise BadInput(f"The job has {len(text):,} bytes; a mailbox takes {_LONGEST:,}.")
    now = datetime.fromtimestamp((clock or SystemClock()).now(), UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}.json"
    place = mirror.rstrip("/")
    if place.startswith("folder:"):
        place = place.removeprefix("folder:")
        _leave_in_folder(Path(place, INBOX), name, text)
    else:
        bucket, _, prefix = place.removeprefix("gs://").partition("/")
        path = f"{prefix}/{INBOX}/{name}".lstrip("/")
        _leave_in_bucket(Line(url or STORAGE, str(login().token)), bucket, path, document)
    return Left(f"{place}/{INBOX}/{name}", f"{place}/{RECEIPTS}/{name}")


def _leave_in_folder(inbox: Path, name: str, text: str) -> None:
    if not inbox.is_dir():  # A folder that somebody has still to mount must not get one of its own.
        raise Unreachable(f"{inbox} is not there.", hint="A bus with that mirror makes it: is it mounted?")
    try:
        write_whole(inbox / name, text, durable=True)
    except OSError as error:
        raise Unreachable(f"{inbox} cannot be written: {error.strerror}.") from None


def _leave_in_bucket(line: Line, bucket: str, name: str, document: Mapping[str, Any]) -> None:
    place = f"/upload/storage/v1/b/{quote(bucket, safe='')}/o"
    try:
        line.ask("POST", f"{place}?uploadType=media&name={quote(name, safe='')}", document)
    except Refused as refused:
        told = f"Google does not take a job into gs://{bucket} (status {refused.status})."
        hint = "It takes roles/storage.objectUser." if refused.status in {401, 403} else ""
        raise Unreachable(told, hint=hint) from None
