"""Whether results can be written into the mirror, and what lies in its mailbox be taken in."""

from __future__ import annotations

from collections.abc import Iterator

from cloud.mirrors import open_mirror
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_REFUSED = Kind(
    code="mirror_refused",
    mark=Mark.PROBLEM,
    one="The mirror cannot be used",
    why="Results cannot be read while the machine is off, and jobs that are left there are not taken in.",
)


def check_mirror(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what keeps the mirror from being written."""
    config = patient.config
    if not config.mirror:
        yield "none: results can be read while the machine is on"
        return
    problem = open_mirror(config.mirror, google=config.google_url).check()
    if problem is None:
        yield f"{config.mirror} may be written"
    else:
        yield Flaw(_REFUSED, detail=problem)
