"""The nouns: what can be wrong (a kind), where it is (a flaw), and what is told of it (a finding). Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doctor.bench import Bench

#: Puts one flaw right and returns what was done, in a few words. Raises BusError or OSError when it cannot.
Mend = Callable[["Bench"], str]


class Mark(IntEnum):
    """How bad it is: a note costs nothing, a warning may cost something, a problem costs something now."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of flaw, in words."""

    #: For programs; stable between versions.
    code: str
    mark: Mark
    #: What is wrong, said of one and of `{n}`; without the latter the kind is told once only.
    one: str
    many: str = ""
    #: Why it matters, in whole sentences.
    why: str
    #: What to do about it: a command to paste wherever there is one. `{folder}`, `{owner}`,
    #: `{address}` and `{bus}` stand for those of this queue, and for how the command line was called.
    remedy: str = ""
    #: What `--fix` does about it; empty when that is nothing.
    mending: str = ""
    #: Whether nothing else in the folder can be examined because of it.
    fatal: bool = False

    def says(self, number: int) -> str:
        """Return what is wrong, said of so many."""
        return self.one if number == 1 or not self.many else self.many.format(n=f"{number:,}")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong, and how to put it right if that is known."""

    kind: Kind
    #: Where: a path below the queue's folder, a name, or nothing.
    where: str = ""
    #: What more there is to say of it.
    detail: str = ""
    mend: Mend | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A flaw, shown."""

    where: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """All flaws of one kind."""

    kind: Kind
    #: How many there are, and how many of them were mended.
    count: int
    mended: int
    #: The first few.
    examples: tuple[Example, ...]
    #: Why others could not be mended; the first few.
    failures: tuple[Example, ...]
    #: What to do, as it can be pasted here; may be empty.
    remedy: str = ""

    @property
    def what(self) -> str:
        """What is wrong."""
        return self.kind.says(self.count)

    @property
    def left(self) -> int:
        """How many flaws are left."""
        return self.count - self.mended

    @property
    def mark(self) -> Mark:
        """How bad what is left is."""
        return self.kind.mark if self.left else Mark.OK


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What was found of one subject."""

    name: str
    #: What was seen, good or bad.
    facts: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def mark(self) -> Mark:
        """The worst that is left."""
        return max((finding.mark for finding in self.findings), default=Mark.OK)
