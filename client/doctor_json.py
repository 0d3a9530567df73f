"""What the doctor found, as one JSON document for programs."""

from __future__ import annotations

import json

import click

from core.jobs import Json
from core.kernel import VERSION
from doctor import Example, Finding, Flaw, Group, Mark, Patient


class JsonPage:
    """Collect what is found and print it at the end."""

    def __init__(self) -> None:
        self._document: dict[str, Json] = {}
        self._groups: list[Json] = []
        self._mended: list[Json] = []
        self._worst = Mark.OK

    def begin(self, patient: Patient) -> None:
        """Note what is examined."""
        self._document = {
            "version": VERSION,
            "folder": patient.folder,
            "settings": patient.surroundings.source,
            "examined_at": patient.now,
            "buses": list(patient.buses),
        }

    def progress(self, number: int) -> None:
        """Say nothing: programs do not wait for progress."""

    def mended(self, flaw: Flaw, done: str) -> None:
        """Note what was mended."""
        self._mended.append({"code": flaw.kind.code, "where": _text(flaw.where), "done": _text(done)})

    def group(self, group: Group) -> None:
        """Note what was found of a subject."""
        self._worst = max(self._worst, group.mark)
        self._groups.append(
            {
                "name": group.name,
                "mark": group.mark.name.lower(),
                "facts": [_text(fact) for fact in group.facts],
                "findings": [_finding(finding) for finding in group.findings],
            }
        )

    def end(self) -> None:
        """Print the document."""
        self._document |= {
            "ok": self._worst < Mark.WARNING,
            "mark": self._worst.name.lower(),
            "groups": self._groups,
            "mended": self._mended,
        }
        click.echo(json.dumps(self._document, indent=1, ensure_ascii=False))


def _finding(finding: Finding) -> Json:
    kind = finding.kind
    return {
        "code": kind.code,
        "mark": kind.mark.name.lower(),
        "what": _text(finding.what),
        "why": kind.why,
        "remedy": finding.remedy,
        "fix": kind.mending,
        "count": finding.count,
        "mended": finding.mended,
        "examples": [_example(example) for example in finding.examples],
        "failures": [_example(failure) for failure in finding.failures],
    }


def _example(example: Example) -> Json:
    return {"where": _text(example.where), "detail": _text(example.detail)}


def _text(text: str) -> str:
    """Return the text as UTF-8 can write it: names of files may hold any bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
