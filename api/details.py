"""Errors as three of the dialects tell them: `{"detail": …}`, with what the bus knows beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from api.errors import refusal_of
from api.http import answer
from core.errors import BusError

if TYPE_CHECKING:
    from flask import Blueprint, Response


@dataclass(frozen=True, slots=True)
class Saying:
    """How a dialect tells an error that its clients know."""

    #: Told alone. May hold `{id}`, the id that the request's path names. Empty for all that the bus says.
    sentence: str = ""
    #: The HTTP status; 0 for that of the bus.
    status: int = 0


def tell_details(blueprint: Blueprint, sayings: Mapping[str, Saying]) -> None:
    """Let the blueprint answer errors so; `sayings` has the dialect's own, by code."""

    def told(error: BusError) -> Response:
        refusal, saying = refusal_of(error), sayings.get(error.code, Saying())
        status = saying.status or refusal.status
        if saying.sentence:
            given = next(iter((request.view_args or {}).values()), "")
            return answer({"detail": saying.sentence.format(id=given)}, status, refusal.headers)
        beside = {name: value for name, value in refusal.body.items() if name not in {"status", "message"}}
        return answer({"detail": error.message, **beside}, status, refusal.headers)

    blueprint.register_error_handler(BusError, told)
