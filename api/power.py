"""The power logic over HTTP: /api/power, why the machine is on, and /api/power/hold, which keeps it on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import power_doc
from api.callers import caller
from api.http import allow_only, answer, read_object
from api.openapi import documented
from core.errors import InvalidRequest
from core.holds import LONGEST_HOLD
from core.timing import format_duration, parse_duration

if TYPE_CHECKING:
    from core.jobs import Json
    from core.kernel import Kernel


def power_blueprint(kernel: Kernel) -> Blueprint:
    """Return the routes by which the power logic is watched, and told to keep the machine on."""
    door = PowerDoor(kernel)
    blueprint = Blueprint("power", __name__, url_prefix="/api/power")
    blueprint.add_url_rule("", view_func=door.power, methods=["GET"])
    blueprint.add_url_rule("/hold", view_func=door.hold, methods=["POST"])
    blueprint.add_url_rule("/hold", view_func=door.release, methods=["DELETE"])
    return blueprint


class PowerDoor:
    """Answer for the power logic."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @documented(power_doc.POWER)
    def power(self) -> Response:
        """Tell why the machine is still on, and until when."""
        return answer(asdict(self._kernel.power.status()))

    @documented(power_doc.HOLD)
    def hold(self) -> Response:
        """Keep the machine on for a while, in place of an earlier hold."""
        document = read_object(power_doc.EXAMPLE)
        allow_only(document, "for", "by", "why")
        seconds = _seconds(document.get("for"))
        by = _words(document, "by", caller().name or "somebody")
        why = _words(document, "why", "no reason given")
        power, clock = self._kernel.power, self._kernel.clock
        replaced = power.held is not None
        held = power.hold(seconds, by=by, why=why)
        until = clock.now() + held.until - clock.boottime()
        return answer({"hold": {"until": until, "by": by, "why": why}}, 200 if replaced else 201)

    @documented(power_doc.RELEASE)
    def release(self) -> Response:
        """Let the machine go again; nothing happens without a hold."""
        self._kernel.power.release_hold()
        return answer({"hold": None})


def _seconds(given: Json) -> float:
    if given is None:
        hint = f"Send {power_doc.EXAMPLE}"
        raise InvalidRequest("for", "is missing.", hint=hint, code="missing_field")
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InvalidRequest("for", "must be a duration, as in '2 hours'.", code="wrong_type")
    try:
        seconds = parse_duration(given)
    except ValueError as error:
        raise InvalidRequest("for", str(error), code="bad_time") from None
    if seconds > LONGEST_HOLD:
        longest = format_duration(LONGEST_HOLD)
        hint = "Hold it again when that is over."
        raise InvalidRequest("for", f"must be at most {longest}.", hint=hint, code="out_of_range")
    return seconds


def _words(document: dict[str, Json], name: str, default: str) -> str:
    """Return a text that goes into log lines and sentences."""
    given = document.get(name)
    if given is None:
        return default
    if not isinstance(given, str) or not given.isprintable():
        raise InvalidRequest(name, "must be a string of printable characters.", code="wrong_type")
    if not 1 <= len(given) <= power_doc.LONGEST_TEXT:
        most = power_doc.LONGEST_TEXT
        raise InvalidRequest(name, f"must have 1 to {most} characters.", code="out_of_range")
    return given
