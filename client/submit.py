"""`bus submit`: hand in a job, the machine being started for it if it is off, and wait for its result."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from client.calls import EXITS, Call, Duration, known_actions, speaks_to_a_bus
from client.errors import BadInput, ClientError, HungUp, Interrupted, NotInTime, Refused, Unreachable
from client.params import params_of, text_of
from client.waiting import awaited, check_folder

_OPTIONS = ("priority", "run_after", "timeout", "max_attempts", "batch", "callback_url")


@click.command(epilog=EXITS)
@click.argument("action", shell_complete=known_actions)
@click.argument("params", nargs=-1, metavar="[NAME=TEXT | NAME:=JSON]...")
@click.option(
    "--params", "whole", default="", metavar="JSON|@FILE|-", help="All params, or those left, as an object."
)
@click.option("-w", "--wait", "waits", is_flag=True, help="Wait for the result and print it.")
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), help="Wait, and save the files there."
)
@click.option(
    "--within", type=Duration(), default="1 hour", show_default=True, help="How long the job may take."
)
@click.option(
    "--wake-within",
    type=Duration(),
    default="10 minutes",
    show_default=True,
    help="How long the machine may take to be there.",
)
@click.option(
    "--or-leave",
    is_flag=True,
    help="Leave it in the mirror if the machine cannot be started, for its next start.",
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
    With --or-leave it need not be lost when there is no machine to be had: it lies in
    the mirror then (AAFAI_MIRROR), and becomes a job when the machine is on again.
    """  # noqa: D301  Click reads the backspace itself.
    _check(call, given)
    key, within, options = given["key"] or uuid.uuid4().hex, given["wake_within"], _options(given)
    read = partial(params_of, params, text_of(whole))
    try:
        found = read(lambda: _schema(call, action, within))
        job_id = call.bus.submit(action, found, key=key, within=within, **options)
    except (ClientError, KeyboardInterrupt) as trouble:
        if not given["or_leave"] or not _reached_nobody(trouble):
            raise _taught(trouble, action, key) from None
        job = {"action": action, "params": read(dict), "idempotency_key": key, **options}
        _leave(call, job, why=str(trouble), waits=_waits(given))
    else:
        _follow(call, job_id, key, given)


def _check(call: Call, given: Mapping[str, Any]) -> None:
    """Raise BadInput for what would come to nothing, before a machine is started for it."""
    check_folder(given["save"])
    if given["or_leave"] and not call.target.mirror:
        hint = "Name one: AAFAI_MIRROR, or `mirror` in the file of machines."
        raise BadInput("--or-leave: the settings name no mirror to leave it in.", hint=hint)


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    with suppress(KeyError, ValueError):  # What is no number is a moment, and the bus knows those.
        options["run_after"] = float(options["run_after"])
    return options


def _follow(call: Call, job_id: str, key: str, given: Mapping[str, Any]) -> None:
    """Print the id of a job that is accepted, or wait for what becomes of it."""
    if not _waits(given):
        call.show({"job_id": job_id, "idempotency_key": key}, [job_id])
        return
    call.progress.tell(f"Job {job_id} is accepted")
    awaited(call, job_id, given["within"], given["save"])


def _waits(given: Mapping[str, Any]) -> bool:
    return given["waits"] or given["save"] is not None


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


def _reached_nobody(trouble: ClientError | KeyboardInterrupt) -> bool:
    """Return whether no bus can have stored the job."""
    return isinstance(trouble, Unreachable) and not isinstance(trouble, HungUp)


def _taught(trouble: ClientError | KeyboardInterrupt, action: str, key: str) -> ClientError:
    """Return the error with what to type next."""
    error = trouble if isinstance(trouble, ClientError) else Interrupted("Interrupted.")
    again = ""
    if error.code == "invalid_params":
        again = f"How it is called: bus actions {action}"
    elif error.exit_status in {4, 130} and not _reached_nobody(error):
        again = f"The same command with --key {key} can make no second job."
    error.hint = f"{error.hint}\n{again}".strip()
    error.evidence["idempotency_key"] = key
    return error


def _leave(call: Call, job: Mapping[str, Any], *, why: str, waits: bool) -> None:
    """Leave a job that no bus has got in the mailbox. Raises NotInTime when its end was to be waited for."""
    from client.mailbox import leave  # noqa: PLC0415  It is seldom needed.

    call.progress.tell(why)
    try:
        left = leave(job, call.target.mirror, url=call.target.google_url)
    except (ClientError, KeyboardInterrupt) as trouble:  # It may lie there all the same.
        raise _taught(trouble, job["action"], job["idempotency_key"]) from None
    told = f"It lies in {left.path}, and becomes a job when the machine is on again"
    later = f"{left.receipt} will tell what became of it"
    places = {"left": left.path, "receipt": left.receipt}
    evidence = {"job_id": None, **places, "idempotency_key": job["idempotency_key"], "reason": why}
    if waits:
        error = NotInTime(f"{told}.", hint=f"{later}.")
        error.evidence |= evidence
        raise error
    call.progress.tell(f"{told}; {later}")
    call.show(evidence, [left.path])
