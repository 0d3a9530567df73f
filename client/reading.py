"""`bus get`, `bus list`, `bus logs`: what became of jobs. None of them starts a machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from client.calls import EXITS, Call, Duration, speaks_to_a_bus
from client.printable import in_columns, local_time, printable_json, printable_lines
from client.waiting import awaited, check_folder
from core.context import LEVELS
from core.jobs import State

_TOLD = ("submitted_at", "run_after", "started_at", "ended_at", "worker", "batch", "retried_from")


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.option(
    "-w", "--wait", "waits", is_flag=True, help="Wait until it has ended, and print its result alone."
)
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), help="Wait, and save the files there."
)
@click.option("--within", type=Duration(), default="1 hour", show_default=True, help="How long to wait.")
@speaks_to_a_bus
def get(call: Call, job_id: str, waits: bool, save: Path | None, within: float) -> None:
    """Show a job, with its result once it has one.

    \b
    bus get JOB_ID                  how it stands
    bus get JOB_ID --wait           its result, as soon as it has one
    bus get JOB_ID --save pages/    the same, and its files
    """  # noqa: D301  Click reads the backspace itself.
    check_folder(save)
    if waits or save is not None:
        call.bus.get(job_id, fields="state")  # A bus that is not there at all is not waited for.
        awaited(call, job_id, within, save)
        return
    job = call.bus.get(job_id)
    call.show(job, _job_lines(job))


@click.command(name="list", epilog=EXITS)
@click.option(
    "--state",
    multiple=True,
    type=click.Choice([one.value for one in State]),
    help="In this state; may be given again.",
)
@click.option("--action", help="Of this action.")
@click.option("--queue", help="Of this queue.")
@click.option("--batch", help="Of this batch.")
@click.option("--since", metavar="TIME", help="Submitted since then: '2 hours', or ISO 8601 with an offset.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many."
)
@speaks_to_a_bus
def list_(call: Call, limit: int, **filters: Any) -> None:
    """List jobs, the newest first.

    \b
    bus list --state failed --since '2 hours'
    bus list --action download_website --limit 100
    bus list --batch monday --json
    """  # noqa: D301  Click reads the backspace itself.
    jobs = call.bus.list(limit=limit, **filters)
    head = ("JOB", "ACTION", "STATE", "SUBMITTED", "MESSAGE")
    rows = map(_row, jobs)
    call.show({"jobs": jobs}, in_columns([head, *rows]) if jobs else ["There are no such jobs."])


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.option("-f", "--follow", is_flag=True, help="Go on with what it says until it has ended.")
@click.option("--level", type=click.Choice(LEVELS), help="Nothing below that.")
@speaks_to_a_bus
def logs(call: Call, job_id: str, follow: bool, level: str | None) -> None:
    """Print what a job said, or follow what it says.

    With --json each entry is an object on a line of its own. What is followed ends when the job has ended.
    """
    said = False
    for entry in call.bus.logs(job_id, follow=follow, level=level or ""):
        said = True
        if call.as_json:
            click.echo(printable_json(entry, indent=None))
        else:
            click.echo(printable_lines(f"{entry['at']}  {entry['level']:7}  {entry['message']}"))
    if not said and not call.as_json:
        click.echo("It has said nothing.", err=True)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    submitted = local_time(datetime.fromisoformat(job["submitted_at"]))
    return job["job_id"], job["action"], job["state"], submitted, _said(job)


def _job_lines(job: dict[str, Any]) -> Iterator[str]:
    yield f"{job['job_id']}  {job['action']}  {job['state']}"
    for name in _TOLD:
        if job.get(name):
            yield f"  {name:13} {job[name]}"
    if "params" in job:  # a mirror shows neither
        yield f"  {'attempt':13} {job['attempt']} of {job['max_attempts']}"
        yield f"  {'params':13} {printable_json(job['params'], indent=None)}"
    if said := _said(job):
        yield f"  {'message':13} {said}"
    if job["state"] == State.SUCCEEDED:
        result = job["result"]
        yield result if isinstance(result, str) else printable_json(result)


def _said(job: dict[str, Any]) -> str:
    """Return why a job failed or was cancelled, else how far it is."""
    error, progress = job.get("error") or {}, job.get("progress") or {}
    if error:
        return f"{error['code']}: {error['message']}".partition("\n")[0]
    return str(job.get("cancel_reason") or (job["state"] == State.RUNNING and progress.get("message")) or "")
