"""What an attempt's process needs to know: one frozen noun that travels as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.jobs import Json

#: The variable by which everything that an attempt starts can be told.
JOB_ID = "AAFAI_JOB_ID"

_PLAIN = {str, int, float, bool, type(None)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One attempt to be made."""

    job_id: str
    attempt: int
    #: The action's file, and the version of it that the server knows.
    path: Path
    stamp: str
    params: Mapping[str, Json]
    #: What the params make of themselves, read by the server; None when JSON cannot carry that.
    arguments: Mapping[str, Json] | None
    wants_context: bool
    #: Where files that belong to the result go.
    files: Path
    #: When its time is up, on the monotonic clock, which all processes share.
    deadline: float | None
    #: Bytes of JSON that the result may have.
    result_limit: int
    #: The environment variables that it gets; HOME and TMPDIR are set beside them.
    environment: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        """Return the order as JSON."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**document, "path": str(self.path), "files": str(self.files)}

    @staticmethod
    def from_json(document: Mapping[str, Json]) -> Order:
        """Return the order that `to_json` made."""
        return Order(**{**document, "path": Path(document["path"]), "files": Path(document["files"])})


def is_plain(value: Any) -> bool:
    """Return whether a value is JSON through and through, so that it arrives as what it was."""
    if type(value) is dict:
        return all(type(key) is str and is_plain(member) for key, member in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return type(value) in _PLAIN
