"""What every command that speaks to a bus shares: which bus is meant, how it is answered, how it exits."""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from client.bus_client import BusClient
from client.errors import BadInput, ClientError, Interrupted, JobFailed, NotUnderstood
from client.opening import opened
from client.printable import printable, printable_json, printable_lines
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
      130 Ctrl-C was pressed; what the bus has accepted goes on
"""
_PATIENCE_OF_A_TYPIST = 2.0  # seconds


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
            click.echo(printable_json(document))
            return
        for line in lines:
            click.echo(printable_lines(line))

    def show_result(self, document: Any, result: Any) -> None:
        """Print the document for programs, or a result: a text as it is, anything else as JSON."""
        if not isinstance(result, str):
            self.show(document, [printable_json(result)])
        elif self.as_json or sys.stdout.isatty():
            self.show(document, [result])
        else:  # Into a file or another program goes what the action has returned, each tab of it.
            self.progress.close()
            click.echo(result, color=True)  # Else click would take out what colours a terminal.


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
        stream = sys.stderr or io.StringIO()  # It is None when somebody has closed it.
        progress = Progress(stream, SystemClock(), quiet=as_json and not stream.isatty())
        try:
            with _told_plainly():
                status = work(_call(progress, machine or "", url or "", as_json=as_json), **given) or 0
        except ClientError as error:
            progress.close()
            _tell(error, as_json=as_json)
            status = error.exit_status
        progress.close()
        ctx.exit(status)

    return run


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Have everything that can go wrong be a ClientError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:  # Who reads has read enough, and click ends without a word.
            raise
        raise BadInput(f"Something cannot be written: {error.strerror}.", hint="Is the disk full?") from None
    except KeyboardInterrupt:
        raise Interrupted("Interrupted. What the bus has accepted goes on.") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        told = f"Who answers writes what this client does not understand ({error!r})."
        hint = "Look at the url and the port, and whether both are of one version."
        raise NotUnderstood(told, hint=hint) from None


def _call(progress: Progress, machine: str, url: str, *, as_json: bool) -> Call:
    target = find_target(os.environ, machine=machine, url=url)
    bus = opened(target, tell=progress.tell)
    return Call(target=target, bus=bus, progress=progress, as_json=as_json)


def _tell(error: ClientError, *, as_json: bool) -> None:
    if as_json:
        click.echo(printable_json(_document(error)))
        return
    click.echo(printable(f"Error: {error.message}"), err=True)
    if error.hint:
        click.echo(printable_lines(error.hint), err=True)


def _document(error: ClientError) -> Any:
    if isinstance(error, JobFailed):
        return error.job
    told = {"status": "error", "code": error.code, "message": error.message, "hint": error.hint}
    return {**error.evidence, **told}


def known_actions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the actions whose names begin so, asked of the bus if it is on: whoever types waits for it."""
    named = {name: ctx.params.get(name) or "" for name in ("machine", "url")}
    with suppress(ClientError, LookupError, TypeError, AttributeError):
        found = opened(find_target(os.environ, **named), patience=_PATIENCE_OF_A_TYPIST).actions()["actions"]
        return [
            CompletionItem(printable(one["name"]), help=printable(one["description"].partition("\n")[0]))
            for one in found
            if one["name"].startswith(incomplete)
        ]
    return []


def _machines(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the machines of the settings whose names begin so."""
    with suppress(ClientError):
        _, machines = read_file(file_of(os.environ))
        return [name for name in machines if name.startswith(incomplete)]
    return []
