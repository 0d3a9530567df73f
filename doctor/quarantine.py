"""What was put aside, and why."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Unsupported
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_REASON = ".reason.txt"

_PUT_ASIDE = Kind(
    code="quarantined",
    mark=Mark.NOTE,
    one="A file lies in quarantine",
    many="{n} files lie in quarantine",
    why="The bus could make no job of it, or it is a damaged record, of which polls say record_damaged.",
    remedy="Look at it and its reason; then mend it and mv it to {folder}/inbound/, or rm both",
)


def check_quarantine(patient: Patient) -> Iterator[Flaw | str]:
    """Yield each file that was put aside, with its reason."""
    folder = patient.path("quarantine")
    names = sorted(patient.disk.names(folder))
    aside = [name for name in names if not name.endswith(_REASON)]
    for name in aside:
        yield Flaw(_PUT_ASIDE, f"quarantine/{name}", _reason(patient, f"{folder}/{name}{_REASON}"))
    yield f"{len(aside):,} put aside" if aside else "empty"


def _reason(patient: Patient, path: str) -> str:
    try:
        return patient.disk.read_file(path, limit=1000).decode(errors="replace").strip()
    except (OSError, Unsupported):
        return "its reason is not there"
