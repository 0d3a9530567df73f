"""`bus cancel`, `bus retry`: what can still be done about jobs. Neither starts a machine."""

from __future__ import annotations

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.params import params_of


@click.command(epilog=EXITS)
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@click.option("--reason", default="", help="Why, for whoever looks at it later.")
@speaks_to_a_bus
def cancel(call: Call, job_ids: tuple[str, ...], reason: str) -> None:
    """Cancel jobs that wait, and ask those that run to stop."""
    jobs = [call.bus.cancel(job_id, reason) for job_id in job_ids]
    asked = {True: "is asked to stop", False: "is cancelled"}
    lines = (f"{job['job_id']} {asked[job['state'] == 'running']}" for job in jobs)
    call.show({"cancelled": jobs}, lines)


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.option(
    "--params", "whole", default="", metavar="JSON|@FILE|-", help="Other params than the first time."
)
@speaks_to_a_bus
def retry(call: Call, job_id: str, whole: str) -> None:
    """Run an ended job again, as a new one, and print its id."""
    params = params_of((), whole, dict) if whole else None
    job = call.bus.retry(job_id, params)
    call.show(job, [job["job_id"]])
