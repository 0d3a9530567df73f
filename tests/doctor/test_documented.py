"""Every kind of finding is told in plain words, and is in the table of docs/doctor.md."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import doctor
from doctor import Kind
from tests.house.sources import ROOT

DOCUMENT = Path(ROOT, "docs", "doctor.md").read_text(encoding="utf-8")
NOTHING = "\N{EN DASH}"
#: These are worded when they are found.
WORDED_LATER = ["file_system_remote", "file_system_doubtful", "mount_option", "room_short", "format_unknown"]


def kinds() -> list[Kind]:
    """Return every kind of the doctor's modules, by mark and code."""
    modules = [
        importlib.import_module(f"doctor.{module.name}") for module in pkgutil.iter_modules(doctor.__path__)
    ]
    found = {
        kind.code: kind for module in modules for kind in vars(module).values() if isinstance(kind, Kind)
    }
    return sorted(found.values(), key=lambda kind: (-kind.mark, kind.code))


def rows() -> list[str]:
    """Return the rows of the table."""
    return [
        f"| `{kind.code}` | {kind.mark.name.lower()} | {kind.one} | {kind.mending or NOTHING} |"
        for kind in kinds()
    ]


def test_every_kind_is_in_the_table() -> None:
    assert len(rows()) > 40
    for row in rows():
        assert row in DOCUMENT


@pytest.mark.parametrize("code", WORDED_LATER)
def test_those_that_are_worded_later_are_there_too(code: str) -> None:
    assert f"| `{code}` |" in DOCUMENT


def test_codes_are_of_one_kind_each_and_sentences_are_whole() -> None:
    for kind in kinds():
        assert kind.why.endswith("."), kind.code
        assert not kind.one.endswith("."), kind.code
        assert "{n}" in kind.many or not kind.many, kind.code
        assert kind.says(1) == kind.one
