"""What the doctor found, as people read it in a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

import click

from client.printable import printable, writes
from core.kernel import VERSION
from doctor import Example, Finding, Flaw, Group, Mark, Patient

_NAMES = 12  # columns for the name of a subject
_NARROWEST, _WIDEST = 60, 120

#: How a mark looks, also where the terminal knows ASCII only, and its colour.
_SIGNS = {
    Mark.OK: ("✓", "+", "green"),
    Mark.NOTE: ("·", "-", "cyan"),
    Mark.WARNING: ("!", "!", "yellow"),
    Mark.PROBLEM: ("✗", "x", "red"),
}
_WORDS = {
    Mark.PROBLEM: ("problem", "problems"),
    Mark.WARNING: ("warning", "warnings"),
    Mark.NOTE: ("note", "notes"),
}


class TextPage:
    """Print each subject as soon as it is examined."""

    def __init__(self, command: str, *, fixing: bool, named: bool) -> None:
        self._command = command
        self._fixing = fixing
        self._named = named
        self._fix = ""
        self._counts = dict.fromkeys(_WORDS, 0)
        self._mendable = self._mended = 0
        self._shows_progress = False
        self._plain = not writes("✓ · ✗ →", sys.stdout.encoding)
        columns = shutil.get_terminal_size((100, 24)).columns
        self._width = min(max(columns, _NARROWEST), _WIDEST) - 1
        # https://no-color.org
        self._colour = False if os.environ.get("NO_COLOR") else None

    def begin(self, patient: Patient) -> None:
        """Print what is examined."""
        self._fix = f"{self._command} --fix" + (f" {patient.folder}" if self._named else "")
        verb = "Mending" if self._fixing else "Examining"
        self._line(click.style(f"aafai-bus {VERSION}: {verb.lower()} {patient.folder}", bold=True))
        self._line()

    def progress(self, number: int) -> None:
        """Show how many files were read, on a terminal only."""
        if sys.stderr.isatty():
            click.echo(f"\r  {number:,} files read", err=True, nl=False)
            self._shows_progress = True

    def mended(self, flaw: Flaw, done: str) -> None:
        """Print what was mended."""
        self._mended += 1
        where = f"{flaw.where}: " if flaw.where else f"{flaw.kind.one}: "
        self._line(self._styled(Mark.OK, "  mended  ") + printable(where + done))

    def group(self, group: Group) -> None:
        """Print what was found of a subject."""
        facts = (" · " if not self._plain else "; ").join(map(printable, group.facts))
        sign = self._styled(group.mark, f"[{self._sign(group.mark)}]")
        lead = " " * (len("[x] ") + _NAMES)
        wrapped = textwrap.wrap(facts, self._width - len(lead), break_on_hyphens=False) or [""]
        self._line(f"{sign} {group.name:{_NAMES}}{wrapped[0]}".rstrip())
        for more in wrapped[1:]:
            self._line(lead + more)
        for finding in group.findings:
            self._finding(finding)

    def end(self) -> None:
        """Print the sum of it."""
        self._line()
        self._line(click.style(self._summary(), bold=True))
        if self._mendable:
            self._line(f"`{self._fix}` mends {self._mendable} of these, and loses nothing.")

    def _summary(self) -> str:
        told = [
            f"{number} {words[number != 1]}"
            for mark, words in _WORDS.items()
            if (number := self._counts[mark])
        ]
        mended = f"{self._mended:,} mended. " if self._mended else ""
        return f"{mended}{', '.join(told) or 'Nothing is wrong'}."

    def _finding(self, finding: Finding) -> None:
        mark = finding.mark
        what = f"{finding.what}: mended" if not finding.left else finding.what
        self._paragraph(printable(what), lead=f"    {self._sign(mark)} ", mark=mark)
        if not finding.left:
            return
        self._counts[mark] += 1
        self._paragraph(finding.kind.why, lead="      ")
        self._examples(finding.examples, finding.count)
        for failure in finding.failures:
            self._paragraph(f"not mended: {_shown(failure)}", lead="      ")
        self._remedies(finding)

    def _examples(self, examples: tuple[Example, ...], count: int) -> None:
        for example in examples:
            if shown := _shown(example):
                self._paragraph(shown, lead="        ")
        if count > len(examples):
            self._line(f"        and {count - len(examples):,} more")

    def _remedies(self, finding: Finding) -> None:
        arrow = "      -> " if self._plain else "      → "
        if finding.remedy:
            self._paragraph(finding.remedy, lead=arrow)
        if finding.kind.mending and not self._fixing:
            self._mendable += 1
            self._paragraph(f"{self._fix}   {finding.kind.mending}", lead=arrow)

    def _paragraph(self, text: str, *, lead: str, mark: Mark | None = None) -> None:
        """Print a text wrapped between the lead and the edge; a long word, such as a path, is not cut."""
        following = " " * len(lead)
        lines = textwrap.wrap(
            text,
            self._width,
            initial_indent=lead,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines:
            self._line(line if mark is None else self._styled(mark, line))

    def _sign(self, mark: Mark) -> str:
        return _SIGNS[mark][1 if self._plain else 0]

    def _styled(self, mark: Mark, text: str) -> str:
        return click.style(text, fg=_SIGNS[mark][2])

    def _line(self, text: str = "") -> None:
        if self._shows_progress:
            click.echo("\r\033[K", err=True, nl=False)
            self._shows_progress = False
        click.echo(text, color=self._colour)


def _shown(example: Example) -> str:
    return printable(": ".join(filter(None, (example.where, example.detail))))
