"""The project's own Python files, as the house tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "queues", "cloud", "api", "services", "actions", "doctor", "web", "client")


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root of the checkout, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def lines(self) -> int:
        return self.text.count("\n")


def sources_of_product() -> Iterator[Source]:
    """Read every file of the product: neither tests nor examples nor benchmarks."""
    files = _read("*.py", *(f"{room}/**/*.py" for room in ROOMS))
    return (source for source in files if source.path != "conftest.py")


def sources_of_tests() -> Iterator[Source]:
    """Read every file under tests."""
    return _read("tests/**/*.py")


def _read(*patterns: str) -> Iterator[Source]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
