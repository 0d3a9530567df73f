"""`bus actions`: what a bus can do, and how that is called. It starts no machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from client.calls import EXITS, Call, known_actions, speaks_to_a_bus
from client.params import call_of
from client.printable import in_columns
from core.timing import format_duration


@click.command(epilog=EXITS)
@click.argument("name", required=False, shell_complete=known_actions)
@speaks_to_a_bus
def actions(call: Call, name: str | None) -> None:
    """List the actions, or tell all of one.

    Of the one that is named: its params, what holds without them, its limits.
    """
    if name is not None:
        one = call.bus.action(name)
        call.show(one, _action_lines(one))
        return
    found = call.bus.actions()
    call.show(found, _lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from in_columns((one["name"], one["description"].partition("\n")[0]) for one in found["actions"])
    for one in found["broken"]:
        yield f"{one['name']}  is broken: {one['broken']}"


def _action_lines(one: dict[str, Any]) -> Iterator[str]:
    if "broken" in one:
        yield f"{one['name']} is broken: {one['broken']}"
        return
    yield one["description"]
    yield ""
    yield call_of(one)
    params = one["schema"].get("properties", {})
    yield from in_columns((f"  {name}", _meaning(param)) for name, param in params.items())
    limits = [f"queue {one['queue']}"]
    if one["timeout"]:
        limits.append(f"{format_duration(one['timeout'])} an attempt")
    if one["max_attempts"]:
        limits.append("1 attempt" if one["max_attempts"] == 1 else f"up to {one['max_attempts']} attempts")
    yield ", ".join(limits)


def _meaning(param: dict[str, Any]) -> str:
    """Return what a param means, and what holds without it."""
    said = str(param.get("description") or param.get("type", "")).rstrip(".")
    given = param.get("default")
    return said if given is None else f"{said} (default {json.dumps(given, ensure_ascii=False)})"
