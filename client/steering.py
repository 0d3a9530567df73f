"""`bus cancel`, `bus retry`: what can still be done about jobs. Neither starts a machine."""

from __future__ import annotations

import click

from client.bus_client import Job
from client.calls import EXITS, Call, speaks_to_a_bus
from client.errors import ClientError
from client.params import params_of, text_of


@click.command(epilog=EXITS)
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")
@click.option("--reason", default="", help="Why, for whoever looks at it later.")
@speaks_to_a_bus
def cancel(call: Call, job_ids: tuple[str, ...], reason: str) -> None:
    """Cancel jobs that wait, and ask those that run to stop.

    bus cancel JOB_ID OTHER_JOB_ID --reason 'the wrong site'
    """
    jobs: list[Job] = []
    try:
        jobs.extend(call.bus.cancel(job_id, reason) for job_id in job_ids)
    except ClientError as error:  # Those before this one are cancelled, and told.
        error.evidence["cancelled"] = jobs
        if not call.as_json:
            call.show(jobs, map(_line, jobs))
        raise
    call.show({"cancelled": jobs}, map(_line, jobs))


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.option(
    "--params", "whole", default="", metavar="JSON|@FILE|-", help="Other params than the first time."
)
@speaks_to_a_bus
def retry(call: Call, job_id: str, whole: str) -> None:
    """Run an ended job again, as a new one, and print its id.

    bus retry JOB_ID --params '{"url": "https://example.org"}'
    """
    params = params_of((), text_of(whole), dict) if whole else None
    job = call.bus.retry(job_id, params)
    call.show(job, [job["job_id"]])


def _line(job: Job) -> str:
    return f"{job['job_id']} {'is asked to stop' if job['state'] == 'running' else 'is cancelled'}"
