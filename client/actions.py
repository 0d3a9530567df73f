"""`bus actions`: what a bus can do, and how that is called. It starts no machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.params import call_of
from client.printable import in_columns, printable, printable_lines
from core.timing import format_duration


@click.command(epilog=EXITS)
@click.argument("name", required=False)
@speaks_to_a_bus
def actions(call: Call, name: str | None) -> None:
    """List the actions, or tell all of the one that is named: params, defaults, limits."""
    if name is not None:
        one = call.bus.action(name)
        call.show(one, _action_lines(one))
        return
    found = call.bus.actions()
    call.show(found, _lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from in_columns((one["name"], one["description"].partition("\n")[0]) for one in found["actions"])
    for one in found["broken"]:
        yield printable(f"{one['name']}  is broken: {one['broken']}")


def _action_lines(one: dict[str, Any]) -> Iterator[str]:
    if "broken" in one:
        yield printable(f"{one['name']} is broken: {one['broken']}")
        return
    yield printable_lines(one["description"])
    yield ""
    yield printable(call_of(one))
    params = one["schema"].get("properties", {})
    yield from in_columns((f"  {name}", _meaning(param)) for name, param in params.items())
    attempts = "1 attempt" if one["max_attempts"] == 1 else f"up to {one['max_attempts']} attempts"
    limit = f" of {format_duration(one['timeout'])}" if one["timeout"] else ""
    yield f"queue {one['queue']}, {attempts}{limit}"


def _meaning(param: dict[str, Any]) -> str:
    """Return what a param means, and what holds without it."""
    said = str(param.get("description") or param.get("title", "")).rstrip(".")
    given = param.get("default")
    return said if given is None else f"{said} (default {json.dumps(given, ensure_ascii=False)})"
