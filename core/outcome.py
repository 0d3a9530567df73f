"""How an attempt ended, as its process tells the runner: one frozen noun that travels as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from core.jobs import Json


class Ending(StrEnum):
    """The ways in which an attempt can end."""

    SUCCEEDED = "succeeded"
    #: Another attempt may follow.
    FAILED = "failed"
    #: No other attempt would help.
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    #: The bus stops; the attempt does not count.
    GIVEN_BACK = "given_back"
    #: The claim passed to somebody else: nothing is to be recorded.
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of one attempt."""

    ending: Ending
    result: Json = None
    #: For programs; empty when it succeeded.
    code: str = ""
    #: One sentence for people; empty when it succeeded.
    message: str = ""
    #: Seconds until the next attempt; None for the usual backoff.
    delay: float | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the outcome as JSON."""
        return {**asdict(self), "ending": self.ending.value}

    @staticmethod
    def from_json(document: Mapping[str, Json]) -> Outcome:
        """Return the outcome that `to_json` made; else raise KeyError, TypeError or ValueError."""
        return Outcome(**{**document, "ending": Ending(document["ending"])})


def failure(code: str, message: str) -> Outcome:
    """Return the outcome of an attempt that failed and may be followed by another."""
    return Outcome(ending=Ending.FAILED, code=code, message=message)


def last_line(error: BaseException) -> str:
    """Return the type of an error and the first line of what it says."""
    said = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
