"""Whether the settings are right."""

from __future__ import annotations

from collections.abc import Iterator

from config import settings
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_WRONG = Kind(
    code="setting_wrong",
    mark=Mark.PROBLEM,
    one="A setting is wrong",
    many="{n} settings are wrong",
    why="The bus refuses to start. What follows was examined without them.",
    remedy=".venv/bin/python -m config   prints every setting and where it comes from",
)
_UNKNOWN = Kind(
    code="setting_unknown",
    mark=Mark.WARNING,
    one="A variable is named like a setting and is none",
    many="{n} variables are named like settings and are none",
    why="It is ignored, so what it was meant to set is not set.",
    remedy="docs/configuration.md lists the settings.",
)


def check_settings(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what is wrong with the settings, and whose they are."""
    surroundings = patient.surroundings
    for problem in surroundings.problems:
        name, _, said = problem.partition(": ")
        yield Flaw(_WRONG, name, said)
    for warning in surroundings.config.warnings:
        name, _, said = warning.partition(" ")
        known = name.endswith(":")  # then it tells of what the setting names
        yield Flaw(_WRONG, name[:-1], said) if known else Flaw(_UNKNOWN, name, said)
    yield f"{len(settings())} settings, as {surroundings.source} has them"
