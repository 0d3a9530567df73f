"""What the machine costs: GET /api/cost."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import cost_doc
from api.http import allow_only_query, answer, iso, query_given
from api.openapi import documented
from core.errors import InvalidRequest
from core.timing import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bill import Amounts
    from core.books import Books
    from core.boots import Boot, Boots
    from core.jobs import Json
    from core.statement import Share, Statement, Trial

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_HOUR = 3600.0


def cost_blueprint(books: Books) -> Blueprint:
    """Return the route by which people and programs see the bill."""
    blueprint = Blueprint("cost", __name__)
    blueprint.add_url_rule("/api/cost", view_func=Cost(books).month, methods=["GET"])
    return blueprint


class Cost:
    """Answer with statements."""

    def __init__(self, books: Books) -> None:
        self._books = books

    @documented(cost_doc.COST)
    def month(self) -> Response:
        """Tell what a month has cost."""
        allow_only_query("month")
        statement = self._books.statement(_wanted(query_given("month")))
        return answer({**_told(statement), "boots": _boots(self._books.ledger.boots)})


def _wanted(text: str | None) -> float | None:
    """Return the first moment of the month that was asked for, in Unix seconds; None for the present one."""
    if text is None:
        return None
    found = _MONTH.fullmatch(text)
    if found is None or not 1970 <= int(found[1]) < 9999:
        raise InvalidRequest("month", "must be a year and a month.", hint="Try month=2026-11")
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC).timestamp()


def _told(statement: Statement) -> dict[str, Json]:
    prices, sessions = statement.prices, statement.sessions
    return {
        "month": f"{datetime.fromtimestamp(statement.month.start, UTC):%Y-%m}",
        "from": iso(statement.window.start),
        "to": iso(statement.window.end),
        "message": _message(statement),
        "currency": prices.currency,
        "prices": {"since": str(prices.since), "machine": prices.machine, "source": prices.source},
        "sessions": sum(one.starts for one in sessions),
        "lost_sessions": sum(one.clean is False for one in sessions),
        "jobs": sum(one.jobs for one in sessions),
        "hours": _hours(statement),
        "on_demand": _amounts(statement.on_demand),
        "always_on": _amounts(statement.always_on),
        "saved": _money(statement.saved),
        "saved_percent": _percent(statement.ratio),
        "saved_percent_without_disk": _percent(statement.ratio_without_disk),
        "starting_cost": _money(statement.booting),
        "idle_cost": _money(statement.idle),
        "actions": [_share(one) for one in statement.shares],
        "other_idle_times": [_trial(one) for one in statement.trials],
    }


def _message(statement: Statement) -> str:
    """Return the statement in a sentence."""
    if not statement.sessions:
        return "No session of the machine is recorded in this month."
    on = sum(one.seconds for one in statement.sessions) / _HOUR
    paid, full = statement.on_demand.total, statement.always_on.total
    whole, bare = _percent(statement.ratio), _percent(statement.ratio_without_disk)
    saved = f"{whole:g} % saved ({bare:g} % without the disk)" if whole > 0 else "nothing is saved so far"
    return (
        f"On for {on:,.1f} of {statement.window.seconds / _HOUR:,.1f} hours:"
        f" {paid:,.2f} {statement.prices.currency} instead of {full:,.2f}, {saved}."
    )


def _hours(statement: Statement) -> dict[str, Json]:
    sessions, seconds = statement.sessions, statement.window.seconds
    on = sum(one.seconds for one in sessions)
    starting = sum(one.ready or 0.0 for one in sessions)
    working = sum(one.working for one in sessions)
    told = {
        "on": on,
        "billed": sum(one.billed for one in sessions),
        "starting": starting,
        "working": working,
        "idle": max(0.0, on - starting - working),
        "off": max(0.0, seconds - on),
    }
    return {name: round(value / _HOUR, 4) for name, value in told.items()}


def _amounts(amounts: Amounts) -> dict[str, Json]:
    return {name: _money(value) for name, value in {**asdict(amounts), "total": amounts.total}.items()}


def _share(share: Share) -> dict[str, Json]:
    return {
        "action": share.action,
        "jobs": share.jobs,
        "run_hours": round(share.run_seconds / _HOUR, 4),
        "cost": _money(share.cost),
        "cost_per_job": _money(share.cost_per_job),
    }


def _trial(trial: Trial) -> dict[str, Json]:
    return {
        "idle_timeout": trial.idle,
        "in_words": format_duration(trial.idle),
        "starts": trial.played.starts,
        "hours": round(trial.played.seconds / _HOUR, 4),
        "cost": _money(trial.amounts.total),
    }


def _boots(boots: Boots) -> dict[str, Json]:
    known: Sequence[Boot] = boots.known()
    return {
        "counted": sum(boot.counts for boot in known),
        "lead": round(boots.lead(), 3),
        "last": _boot(known[-1]) if known else None,
    }


def _boot(boot: Boot) -> dict[str, Json]:
    before = {name: seconds for name, seconds in boot.phases.items() if name != "first_claim"}
    return {
        "at": boot.at,
        "restart": boot.restart,
        "accepting": round(boot.accepting, 3),
        "phases": {name: round(seconds, 3) for name, seconds in boot.phases.items()},
        "shares": {name: round(seconds / boot.accepting, 4) for name, seconds in before.items() if seconds},
    }


def _money(amount: float) -> float:
    return round(amount, 6)


def _percent(ratio: float) -> float:
    """Return what was saved, in percent, of what was paid in proportion."""
    return round(100 * (1 - ratio), 1)
