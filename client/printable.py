"""What may stand on a terminal: no sign that it cannot write, none that moves its cursor. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def printable(text: str) -> str:
    """Return the text with everything escaped that could disturb a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each with everything escaped that could disturb a terminal."""
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def writes(text: str, encoding: str | None) -> bool:
    """Say whether a stream of that encoding can write the text."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def in_columns(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a line for each row, its cells below those of the row before; all rows have as many."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
