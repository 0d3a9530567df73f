"""Whether all is there that the bus keeps beside the jobs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial

from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.left_over import left_overs
from doctor.patient import Patient
from queues.file.layout import TOP
from queues.file.options import FileOptions

_FOLDER = Kind(
    code="top_folder_missing",
    mark=Mark.PROBLEM,
    one="A folder of the queue is missing",
    many="{n} folders of the queue are missing",
    why="The bus does nothing until it is back. Whoever removed it removed what was in it, too.",
    remedy="Put it back from a backup, or let an empty one be made:",
    mending="makes an empty one",
)
_FORMAT = Kind(
    code="format_missing",
    mark=Mark.WARNING,
    one="FORMAT.json is missing",
    why="A running bus does nothing without it; another version would not know what it has before it.",
    mending="writes it anew",
)
_RESERVE = Kind(
    code="reserve_missing",
    mark=Mark.WARNING,
    one="The reserve (reserve.bin) is missing",
    why="It is given up to let running jobs end when others have filled the disk; then there is none left.",
    mending="makes it, if there is room",
)
_RESERVE_ODD = Kind(
    code="reserve_odd",
    mark=Mark.WARNING,
    one="The reserve (reserve.bin) is not what the bus has made",
    why="It is there to be given up when the disk is full; then it would make too little room, or none.",
    mending="puts it into quarantine and makes another",
)


def check_store(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what is missing, and what a crash has left half done."""
    missing = [
        Flaw(_FOLDER, f"{name}/", mend=_making) for name in TOP if not os.path.isdir(patient.path(name))
    ]
    if not patient.disk.exists(patient.path("FORMAT.json")):
        missing.append(Flaw(_FORMAT, mend=_making))
    # The first of them that is mended opens the queue, which mends the others too: so all are listed before.
    found = [*missing, *left_overs(patient), *_check_reserve(patient)]
    yield from found
    if not found:
        yield "complete"


def _check_reserve(patient: Patient) -> Iterator[Flaw]:
    path, wanted = patient.path("reserve.bin"), FileOptions().reserve_bytes
    try:
        status = patient.disk.status(path)
    except FileNotFoundError:
        yield Flaw(_RESERVE, mend=Bench.reserve)
        return
    found = status.st_size if stat.S_ISREG(status.st_mode) else None
    if found is None or found < wanted:
        said = "no file" if found is None else f"{found:,} bytes, not {wanted:,}"
        yield Flaw(_RESERVE_ODD, detail=said, mend=partial(_another_reserve, path))


def _making(bench: Bench) -> str:
    """Let the engine make what it needs, as it does whenever it is opened."""
    bench.open()
    return "made"


def _another_reserve(path: str, bench: Bench) -> str:
    bench.put_aside(path, "It was not the reserve that the bus had made.", spare=lambda path: False)
    return bench.reserve()
