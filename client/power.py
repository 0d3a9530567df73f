"""`bus power`, `bus wake`, `bus hold`: whether the machine is on, and for how long. Only `wake` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from client.calls import EXITS, Call, Duration, speaks_to_a_bus
from client.errors import BadInput, MachineOff
from client.printable import local_time


@click.command(epilog=EXITS)
@speaks_to_a_bus
def power(call: Call) -> None:
    """Say whether the machine is on, why, and until when."""
    try:
        status = call.bus.power()
    except MachineOff as off:
        call.show({"state": "off", "message": off.message}, [off.message, off.hint])
        return
    call.show(status, _lines(status))


@click.command(epilog=EXITS)
@click.option(
    "--within", type=Duration(), default="10 minutes", show_default=True, help="How long it may take."
)
@speaks_to_a_bus
def wake(call: Call, within: float) -> None:
    """Start the machine if it is off, and print where its bus is.

    It is printed as soon as jobs are accepted there: curl "$(bus wake)/health"
    """
    url = call.bus.wake(within)
    call.show({"url": url}, [url])


@click.command(epilog=EXITS)
@click.argument("duration", required=False)
@click.option("--why", default="", help="For whoever wonders why the machine is on.")
@click.option("--release", is_flag=True, help="Let it go again.")
@speaks_to_a_bus
def hold(call: Call, duration: str | None, why: str, release: bool) -> None:
    """Keep the machine on for DURATION, a day at most.

    \b
    bus hold '2 hours' --why 'a demonstration'
    bus hold --release

    A machine that is off stays off.
    """  # noqa: D301  Click reads the backspace itself.
    if release == (duration is not None):
        hint = "Try: bus hold '2 hours' --why 'a demonstration'"
        raise BadInput("Give either a duration or --release.", hint=hint)
    if duration is None:
        call.bus.release()
        call.show({"hold": None}, ["The machine is held no more."])
        return
    held = call.bus.hold(duration, why=why)
    told = f"The machine stays on until {_moment(held['until'])}: {held['why']}"
    call.show({"hold": held}, [told])


def _lines(status: dict[str, Any]) -> Iterator[str]:
    yield f"{status['state']}: {status['message']}"
    for reason in status["reasons"]:
        until = f", until {_moment(reason['until'])}" if reason.get("until") else ""
        yield f"  {reason['code']:16} {reason['message']}{until}"
    for switch in status["switches"]:
        if switch.get("problem"):
            yield f"  ! switch {switch['name']}: {switch['problem']}"
    if status["wake"].get("problem"):
        yield f"  ! wake alarm {status['wake']['alarm']}: {status['wake']['problem']}"


def _moment(seconds: float) -> str:
    return local_time(datetime.fromtimestamp(seconds, UTC))
