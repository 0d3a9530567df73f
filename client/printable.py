"""What may stand on a terminal: no sign that it cannot write, none that moves its cursor. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

_ODD = re.compile(r"[^ -~]")
#: Between the parts of an emoji, and of words of some languages.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Return the text with everything escaped that could disturb a terminal."""
    return _ODD.sub(lambda found: found[0] if _is_harmless(found[0]) else ascii(found[0])[1:-1], text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each with everything escaped that could disturb a terminal."""
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def printable_json(document: Any, *, indent: int | None = 1) -> str:
    """Return a document as JSON, in which the same is escaped in JSON's own way."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _ODD.sub(lambda found: found[0] if _stands_in_json(found[0]) else json.dumps(found[0])[1:-1], text)


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
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell + " " * (width - columns_of(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def local_time(moment: datetime) -> str:
    """Return a moment as the clock of this computer shows it, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def columns_of(text: str) -> int:
    """Return how many columns a text takes: two for a sign of the Far East or an emoji, else one."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shortened(text: str, columns: int) -> str:
    """Return as much of the beginning of a text as so many columns hold."""
    while columns_of(text) > columns:
        text = text[:-1]
    return text


def _is_harmless(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _stands_in_json(char: str) -> bool:
    return char == "\n" or _is_harmless(char)
