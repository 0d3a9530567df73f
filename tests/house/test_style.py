"""The habits of the house that no tool checks by itself, and proof that the tools check the others."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pytest

from tests.house.sources import ROOT, Source, sources_of_product, sources_of_tests

Rule = Callable[[Source], Iterator[str]]

LONGEST_FILE = 300
LONGEST_FUNCTION = 30
#: Words that say nothing about what a thing is.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "data", "info", "misc"}


def too_long(source: Source) -> Iterator[str]:
    """Yield the file when it is too long, and each function in it that is."""
    if source.lines > LONGEST_FILE:
        yield f"{source.path} has {source.lines} lines: split it into ideas of at most {LONGEST_FILE}."
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines: name its steps."


def sleeps(source: Source) -> Iterator[str]:
    """Yield each call of a sleep, whatever module it comes from."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "sleep":
                yield f"{source.path}:{node.lineno} sleeps: wait for an event, or move a fake clock."


def empty_words(source: Source) -> Iterator[str]:
    """Yield the file and each class in it that bears a name which says nothing."""
    classes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    for name in (PurePosixPath(source.path).stem, *(node.name for node in classes)):
        if EMPTY_WORDS & set(words(name)):
            yield f"{source.path} {name}: name it for what it is."


def words(name: str) -> list[str]:
    """Split a name of either spelling into its words, in lower case."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").split()


def found(rule: str, path: str, text: str) -> bool:
    """Say whether ruff, as configured for a file at that path, finds an offence against the rule."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", path, "-"]
    ran = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    return rule in ran.stdout


def test_files_and_functions_of_the_product_are_short() -> None:
    assert not [offence for source in sources_of_product() for offence in too_long(source)]


def test_no_test_sleeps_but_those_that_drive_whole_programs() -> None:
    ours = (source for source in sources_of_tests() if not source.path.startswith("tests/e2e/"))

    assert not [offence for source in ours for offence in sleeps(source)]


def test_names_say_what_things_are() -> None:
    assert not [offence for source in sources_of_product() for offence in empty_words(source)]


@pytest.mark.parametrize(
    ("rule", "text", "offences"),
    [
        (too_long, "def run():\n" + "    step()\n" * 29, 0),
        (too_long, "def run():\n" + "    step()\n" * 30, 1),
        (too_long, "step()\n" * 301, 1),
        (sleeps, "from time import sleep\n\ntime.sleep(1)\nsleep(1)\nasleep(1)\n", 2),
        (empty_words, "class QueueManager: ...\n\nclass Database: ...\n", 1),
    ],
)
def test_these_rules_catch_what_they_are_for(rule: Rule, text: str, offences: int) -> None:
    assert len(list(rule(Source("core/example.py", text)))) == offences


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        ("TID251", "core/pool.py", "import time\n\nSTARTED = time.monotonic()\n"),
        ("TID251", "api/aafai.py", "from datetime import UTC, datetime\n\nTODAY = datetime.now(UTC)\n"),
        ("TID251", "queues/file.py", "from time import sleep\n\nsleep(1)\n"),
        ("D100", "core/pool.py", "SLOTS = 1\n"),
        ("D103", "core/pool.py", '"""Slots."""\n\n\ndef drain():\n    return 1\n'),
        ("D401", "core/pool.py", '"""Slots."""\n\n\ndef drain():\n    """Returns when all is drained."""\n'),
        ("C901", "core/pool.py", "def run(n):\n" + "    if n:\n        n -= 1\n" * 8),
        ("T201", "core/pool.py", "print(1)\n"),
        ("BLE001", "core/pool.py", "try:\n    run()\nexcept Exception:\n    done = True\n"),
    ],
)
def test_ruff_catches_what_the_house_forbids(rule: str, path: str, text: str) -> None:
    assert found(rule, path, text)


def test_the_clock_has_one_home() -> None:
    reading = '"""Time."""\n\nimport time\n\nNOW = time.time()\n'

    assert not found("TID251", "core/clock.py", reading)
