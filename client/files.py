"""`bus files`: list what a job has made, or save it. It starts no machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.printable import in_columns


@click.command(epilog=EXITS)
@click.argument("job_id")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--save", type=click.Path(file_okay=False, path_type=Path), help="Save them below this folder.")
@speaks_to_a_bus
def files(call: Call, job_id: str, names: tuple[str, ...], save: Path | None) -> None:
    """List the files that a job has made, or save all of them, or those that are named."""
    if save is not None:
        paths = [str(path) for path in call.bus.save(job_id, save, *names)]
        call.show({"saved": paths}, paths or ["The job has made no files."])
        return
    found = [one for one in call.bus.files(job_id) if not names or one.name in names]
    rows = ((f"{one.size:,}".rjust(14), one.name) for one in found)
    call.show({"files": [asdict(one) for one in found]}, in_columns(rows) if found else ["No files."])
