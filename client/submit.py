"""`bus submit`: hand in a job, the machine being started for it if it is off, and wait for its result."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from client.calls import EXITS, Call, Duration, speaks_to_a_bus
from client.errors import ClientError, Refused
from client.params import params_of
from client.waiting import awaited

_OPTIONS = ("priority", "run_after", "timeout", "max_attempts", "batch", "callback_url")


@click.command(epilog=EXITS)
@click.argument("action")
@click.argument("params", nargs=-1, metavar="[NAME=TEXT | NAME:=JSON]...")
@click.option(
    "--params", "whole", default="", metavar="JSON|@FILE|-", help="All params, or those left, as an object."
)
@click.option("-w", "--wait", "waits", is_flag=True, help="Wait for the result and print it.")
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), help="Wait, and save the files there."
)
@click.option(
    "--within", type=Duration(), default="1 hour", show_default=True, help="How long to wait for the job."
)
@click.option(
    "--wake-within", type=Duration(), default="10 minutes", show_default=True, help="… for the machine."
)
@click.option("--key", default="", help="The idempotency key: the same one again is the same job, for a day.")
@click.option("--priority", type=click.IntRange(0, 9), help="The higher goes first; 5 without.")
@click.option("--run-after", metavar="TIME", help="Not before: seconds from now, or ISO 8601 with an offset.")
@click.option("--timeout", metavar="DURATION", help="What an attempt may take: 90s, '10 minutes'.")
@click.option("--max-attempts", type=click.IntRange(1, 100), help="How often it may be tried.")
@click.option("--batch", help="A name by which jobs are asked for together.")
@click.option("--callback-url", metavar="URL", help="Who is told by a signed POST when the job has ended.")
@speaks_to_a_bus
def submit(call: Call, action: str, params: tuple[str, ...], whole: str, **given: Any) -> None:
    """Submit a job for ACTION; its machine is started if it is off.

    \b
    bus submit fakejob delay_seconds=1 --wait
    bus submit download_website url=https://example.org --save pages/
    bus submit http_request url=https://example.org headers:='{"Accept": "text/html"}'
    bus actions                        what there is to submit, and with which params

    A text that could be a number or a list is read as the action's schema wants it.
    Without --wait the job id is printed at once; `bus get` tells the rest, later.
    It may be tried again and again until the bus has accepted it: it becomes one job.
    """  # noqa: D301  Click reads the backspace itself.
    waits, save, within = given["waits"], given["save"], given["within"]
    key = given["key"] or uuid.uuid4().hex
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    if "run_after" in options:
        options["run_after"] = _moment(options["run_after"])
    found = params_of(params, whole, lambda: _schema(call, action, given["wake_within"]))
    try:
        job_id = call.bus.submit(action, found, key=key, within=given["wake_within"], **options)
    except ClientError as error:
        raise _taught(error, action, key) from None
    if not waits and save is None:
        call.show({"job_id": job_id, "idempotency_key": key}, [job_id])
        return
    call.progress.tell(f"Job {job_id} is accepted")
    awaited(call, job_id, within, save)


def _schema(call: Call, action: str, within: float) -> Mapping[str, Any]:
    """Return the schema of the action's params, `{}` where it is not told. It may wake the machine."""
    call.bus.wake(within)
    try:
        found = call.bus.action(action)
    except Refused as refused:
        if refused.code in {"scope_missing", "no_such_action"}:
            return {}  # A token may submit and not read; and the bus says best what there is no action for.
        raise
    return dict(found.get("schema", {}))


def _moment(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _taught(error: ClientError, action: str, key: str) -> ClientError:
    """Return the error with what to type next."""
    again = ""
    if error.code == "invalid_params":
        again = f"How it is called: bus actions {action}"
    elif error.exit_status == 4:
        again = f"The same command with --key {key} can make no second job."
    error.hint = f"{error.hint} {again}".strip()
    return error
