"""`bus doctor`: examine a queue's folder and what the bus needs beside it, and mend it if that is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import click

from client.doctor_json import JsonPage
from client.doctor_text import TextPage
from core.clock import SystemClock
from doctor import Bench, Mark, Patient, admit, examine, find_surroundings
from doctor.identity import become, can_run_as, may_mend, must_step_down
from doctor.patient import name_of

#: How what is found is shown.
Page = TextPage | JsonPage

_CHECKOUT = Path(__file__).resolve().parents[1]


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--fix", is_flag=True, help="Mend what can be mended without losing anything; each step is told."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
@click.pass_context
def doctor(ctx: click.Context, folder: Path | None, fix: bool, as_json: bool) -> None:
    """Say what is wrong with a queue, and what to do about it.

    FOLDER is the queue's folder: that of the settings if none is named. Whether a bus runs on it or not makes
    no difference; without --fix nothing is changed, and no job is held up.

    The settings are those of this shell if it has any; else those of the bus that runs on the folder; else
    those of the installed service. As root it goes on as the user of the bus when owners and modes are seen
    to.

    \b
    Exit status:
      0   nothing is wrong, or all of it was mended; notes do not count
      1   there are warnings or problems
      2   it was called in a wrong way
    """  # noqa: D301  Click reads the backspace itself.
    chosen = None if folder is None else os.path.normpath(folder.absolute())
    os.chdir(_CHECKOUT)  # where the bus is started, so that relative paths in settings mean the same
    surroundings = find_surroundings(os.environ, folder=chosen)
    if surroundings.folder is None:
        raise click.UsageError(f"The jobs are kept in {surroundings.config.engine}, not in a folder.")
    page: Page = JsonPage() if as_json else TextPage(ctx.command_path, fixing=fix, named=chosen is not None)
    program = ctx.find_root().command_path
    patient = admit(surroundings.folder, surroundings, SystemClock(), program=program, progress=page.progress)
    worst = _consult(patient, page, step_down=_step_down(ctx, patient, fix=fix), fix=fix)
    ctx.exit(1 if worst >= Mark.WARNING else 0)


def _consult(patient: Patient, page: Page, *, step_down: Callable[[], None], fix: bool) -> Mark:
    """Show what is found, and mended if that was asked; return the worst that is left."""
    worst = Mark.OK
    page.begin(patient)
    with closing(Bench(patient)) if fix else nullcontext() as bench:
        for group in examine(patient, bench=bench, mended=page.mended, step_down=step_down):
            page.group(group)
            worst = max(worst, group.mark)
    page.end()
    return worst


def _step_down(ctx: click.Context, patient: Patient, *, fix: bool) -> Callable[[], None]:
    """Return what makes root go on as the user of the bus; refuse to mend as who can never be that user."""
    if not Path(patient.folder).is_dir():
        return lambda: None
    owner = patient.owner
    if fix and not may_mend(owner):
        call = f"sudo -u {name_of(owner)} {ctx.command_path} --fix {patient.folder}"
        raise click.UsageError(f"What you mend would be yours, and not {name_of(owner)}'s: {call}")
    if not must_step_down(owner):
        return lambda: None
    if can_run_as(owner):
        return lambda: become(owner)
    if fix:
        where = f"{sys.prefix} or {_CHECKOUT}"
        raise click.UsageError(
            f"{name_of(owner)}, whose the queue is, cannot read {where}: no bus can run so."
        )
    return lambda: None  # looking does no harm as root either
