"""`bus cost`: what the machine has cost, and what it would have cost always on. It starts no machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.printable import in_columns


@click.command(epilog=EXITS)
@click.argument("month", required=False, default="")
@speaks_to_a_bus
def cost(call: Call, month: str) -> None:
    """Show what the machine has cost in MONTH, or in this one.

    MONTH is written as in 2026-11.
    """
    statement = call.bus.cost(month)
    call.show(statement, _lines(statement))


def _lines(statement: dict[str, Any]) -> Iterator[str]:
    yield f"{statement['month']}  {statement['message']}"
    paid, full, prices = statement["on_demand"], statement["always_on"], statement["prices"]
    kinds = [name for name in paid if name != "total" and (paid[name] or full[name])]
    head = ("", f"{'PAID':>8}", "ALWAYS ON")
    rows = ((name, f"{paid[name]:8.2f}", f"{full[name]:9.2f}") for name in (*kinds, "total"))
    yield from in_columns([head, *rows])
    if statement["actions"]:
        yield ""
        head = ("ACTION", "JOBS", f"{statement['currency']} EACH")
        rows = (
            (one["action"], f"{one['jobs']:,}", f"{one['cost_per_job']:.4f}") for one in statement["actions"]
        )
        yield from in_columns([head, *rows])
    yield ""
    source = prices["source"] and f": {prices['source']}"
    yield f"By the prices of {prices['machine']}{source}"
