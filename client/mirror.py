"""Reads how a job ended in the mirror of its bus, a folder or a bucket, while the machine is off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from client.errors import Refused, Unreachable
from client.google_login import login
from client.line import Line
from core.ids import JOB_ID
from core.mirror import RESULTS, STATUSES

STORAGE = "https://storage.googleapis.com"


@dataclass(frozen=True, slots=True)
class MirrorReader:
    """The mirror that AAFAI_MIRROR names: `folder:/path`, or `gs://bucket/prefix`."""

    place: str
    #: Where Cloud Storage is asked; elsewhere only in tests.
    url: str = STORAGE

    def job(self, job_id: str) -> dict[str, Any] | None:
        """Return a job that has ended, in the words of the bus as far as the mirror knows them; else None.

        Raises Unreachable when the mirror cannot be read.
        """
        name = job_id.lower()
        if not JOB_ID.fullmatch(name):
            return None
        status = self._read(f"{STATUSES}/{name}.json")
        if status is None:
            return None
        result = self._read(f"{RESULTS}/{name}.json") or {}
        error = {"code": status.get("code"), "message": status["error"]} if status.get("error") else None
        return {**status, "result": result.get("result"), "error": error, "mirrored": True}

    def _read(self, path: str) -> dict[str, Any] | None:
        kind, _, rest = self.place.partition(":")
        found = _in_folder(Path(rest), path) if kind == "folder" else self._in_bucket(rest.strip("/"), path)
        if found is not None and not isinstance(found, dict):
            raise Unreachable(f"{path} in the mirror {self.place} is no object of JSON.")
        return found

    def _in_bucket(self, rest: str, path: str) -> Any:
        bucket, _, prefix = rest.partition("/")
        name = f"{prefix}/{path}" if prefix else path
        target = f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}?alt=media"
        try:
            return Line(self.url, str(login().token)).ask("GET", target)
        except Refused as refused:
            if refused.status == 404:
                return None
            told = f"Google does not show the mirror {self.place} (status {refused.status})."
            hint = "It takes roles/storage.objectViewer." if refused.status in {401, 403} else ""
            raise Unreachable(told, hint=hint) from None


def _in_folder(folder: Path, path: str) -> Any:
    try:
        return json.loads((folder / path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unreachable(f"{path} in the mirror folder:{folder} cannot be read: {error}.") from None
