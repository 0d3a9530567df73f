from __future__ import annotations

from collections.abc import Iterable

import pytest

from core.errors import EngineUnavailable
from core.job_log import JobLog, Lines, shown
from core.jobs import LogEntry
from queues.memory import MemoryEngine
from tests.factories import NOW, a_job
from tests.fakes import FakeClock


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def log(engine: MemoryEngine) -> JobLog:
    return JobLog(engine, engine.add(a_job()).id, FakeClock())


def entries(log: JobLog, engine: MemoryEngine) -> list[LogEntry]:
    log.flush()
    return engine.logs(log._job_id, limit=20_000)


def test_entries_are_stored_when_they_are_flushed(log: JobLog, engine: MemoryEngine) -> None:
    log.add("info", "hello")

    assert engine.logs(log._job_id) == []
    assert entries(log, engine) == [LogEntry(at=NOW, level="info", message="hello", source="action")]


@pytest.mark.parametrize(("lines", "size"), [(10_000, 1), (128, 8_192)])
def test_a_log_that_is_just_full_has_no_note_and_one_entry_more_brings_it(
    log: JobLog, engine: MemoryEngine, lines: int, size: int
) -> None:
    for _ in range(lines):
        log.add("info", "x" * size)
    assert len(entries(log, engine)) == lines

    log.add("info", "x")
    log.add("info", "x")

    assert len(entries(log, engine)) == lines + 1
    assert entries(log, engine)[-1].source == "bus"


def test_a_log_that_cannot_be_stored_harms_nobody() -> None:
    class Broken(MemoryEngine):
        def log(self, job_id: str, entries: Iterable[LogEntry]) -> None:
            raise EngineUnavailable("no room")

    log = JobLog(Broken(), "x", FakeClock())
    log.add("info", "lost")

    log.flush()


def test_an_entry_does_not_grow_for_ever(log: JobLog, engine: MemoryEngine) -> None:
    log.add("info", "x" * 10_000_000)

    assert len(entries(log, engine)[0].message) == 65_536


def test_lines_are_put_together_however_they_were_cut(log: JobLog, engine: MemoryEngine) -> None:
    lines = Lines(log, source="stdout")

    for chunk in (b"on", b"e\r\ntw", b"o\n\n", b"\xc3", b"\xa4"):
        lines.feed(chunk)
    lines.close()

    assert [entry.message for entry in entries(log, engine)] == ["one", "two", "", "ä"]


def test_a_line_without_an_end_does_not_grow_for_ever(log: JobLog, engine: MemoryEngine) -> None:
    lines = Lines(log, source="stdout")

    for _ in range(4):
        lines.feed(b"x" * 50_000)
    lines.close()

    assert sum(len(entry.message) for entry in entries(log, engine)) == 200_000
    assert max(len(entry.message) for entry in entries(log, engine)) == 65_536


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\r\x00\x08\x7f\x9bb", "ab"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("half \ud800", "half "),
    ],
)
def test_what_could_deceive_a_terminal_is_taken_out(message: str, expected: str) -> None:
    assert shown(message) == expected
