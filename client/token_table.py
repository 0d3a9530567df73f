"""Tokens as people read them in a terminal: a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from client.printable import in_columns
from core.tokens import Token

_HEAD = ("ID", "NAME", "MAY", "ACTIONS", "JOBS", "A MINUTE", "SENT AS", "MADE", "EXPIRES")


def table(tokens: Sequence[Token], *, now: float) -> Iterator[str]:
    """Return a head and a line for each token, in columns."""
    return in_columns([_HEAD, *(_row(token, now) for token in tokens)])


def _row(token: Token, now: float) -> tuple[str, ...]:
    return (
        token.id,
        token.name,
        ", ".join(sorted(token.scopes)),
        "any" if token.actions is None else ", ".join(sorted(token.actions)),
        "own" if token.own_jobs_only else "all",
        "-" if token.rate_limit is None else f"{token.rate_limit:,}",
        "signature" if token.signing_key else "bearer",
        _day(token.created_at),
        _end(token, now),
    )


def _end(token: Token, now: float) -> str:
    if token.expires_at is None:
        return "never"
    return f"{_day(token.expires_at)}, over" if token.has_expired(now) else _day(token.expires_at)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
