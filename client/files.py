"""`bus files`: list what a job has made, or save it. It starts no machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.printable import in_columns
from client.waiting import check_folder


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--save", type=click.Path(file_okay=False, path_type=Path), help="Save them below this folder.")
@speaks_to_a_bus
def files(call: Call, job_id: str, names: tuple[str, ...], save: Path | None) -> None:
    """List or save the files that a job has made.

    \b
    bus files JOB_ID                       which there are, with their bytes
    bus files JOB_ID --save pages/         save all of them there
    bus files JOB_ID page.html --save .    save one
    """  # noqa: D301  Click reads the backspace itself.
    check_folder(save)
    if save is not None:
        paths = [str(path) for path in call.bus.save(job_id, save, *names)]
        call.show({"saved": paths}, paths or ["The job has made no files."])
        return
    found = call.bus.files(job_id, *names)
    rows = ((f"{one.size:,}".rjust(14), one.name) for one in found)
    call.show({"files": [asdict(one) for one in found]}, in_columns(rows) if found else ["No files."])
