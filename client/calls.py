"""What every command that speaks to a bus shares: which bus is meant, how it is answered, how it exits."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

from client.bus_client import BusClient
from client.errors import ClientError, JobFailed, Refused
from client.opening import opened
from client.printable import printable
from client.progress import Progress
from client.settings import Target, file_of, find_target, read_file
from core.clock import SystemClock
from core.timing import parse_duration

EXITS = """
    \b
    Exit status:
      0   it is done; a job that was waited for has succeeded
      1   the job has failed, or was cancelled
      2   bad input: an option, a setting, a param, a token; or the bus knows no such thing
      3   the job has not ended in time, and goes on
      4   nobody answers, or the machine could not be started
"""
_INTERRUPTED = 130  # as a shell says it of SIGINT: what was accepted goes on


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a command: the bus that is meant, and how to answer."""

    target: Target
    bus: BusClient
    progress: Progress
    as_json: bool

    def show(self, document: Any, lines: Iterable[str]) -> None:
        """Print the document for programs, or the lines for people."""
        self.progress.close()
        if self.as_json:
            click.echo(json.dumps(document, indent=1, ensure_ascii=False))
            return
        for line in lines:
            click.echo(line)


class Duration(click.ParamType[float]):
    """Seconds, or words such as `90s`, '5 minutes'."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def speaks_to_a_bus(work: Callable[..., int | None]) -> Callable[..., None]:
    """Make a function of a Call and its options the body of a command, which exits with what it returns.

    Errors are told in a sentence with the remedy, or as JSON, and exit with their status.
    """

    @click.option(
        "-m", "--machine", metavar="NAME", shell_complete=_machines, help="A machine of the settings."
    )
    @click.option("--url", help="Where the bus is, whatever the settings say.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
    @click.pass_context
    @functools.wraps(work)
    def run(ctx: click.Context, /, machine: str | None, url: str | None, as_json: bool, **given: Any) -> None:
        progress = Progress(sys.stderr, SystemClock(), quiet=as_json and not sys.stderr.isatty())
        try:
            call = _call(progress, machine or "", url or "", as_json=as_json)
            status = work(call, **given) or 0
        except ClientError as error:
            progress.close()
            _tell(error, as_json=as_json)
            status = error.exit_status
        except KeyboardInterrupt:
            status = _INTERRUPTED
        progress.close()
        ctx.exit(status)

    return run


def _call(progress: Progress, machine: str, url: str, *, as_json: bool) -> Call:
    target = find_target(os.environ, machine=machine, url=url)
    bus = opened(target, tell=progress.tell)
    return Call(target=target, bus=bus, progress=progress, as_json=as_json)


def _tell(error: ClientError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_document(error), indent=1, ensure_ascii=False))
        return
    click.echo(printable(f"Error: {error.message}"), err=True)
    if error.hint:
        click.echo(printable(error.hint), err=True)


def _document(error: ClientError) -> Any:
    if isinstance(error, JobFailed):
        return error.job
    evidence = error.answer if isinstance(error, Refused) else {}
    told = {"status": "error", "code": error.code, "message": error.message, "hint": error.hint}
    return {**evidence, **told}


def _machines(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the machines of the settings whose names begin so."""
    try:
        _, machines = read_file(file_of(os.environ))
    except ClientError:
        return []
    return [name for name in machines if name.startswith(incomplete)]
