"""What people see while they wait: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import io
from typing import Any

import pytest

from client.progress import Progress
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


class Terminal(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, *, live: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._live = live
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._live

    def screen(self) -> list[str]:
        """Return the lines as they stand in the end."""
        return [line.rpartition("\r\033[K")[2] for line in self.getvalue().rstrip("\n").split("\n")]


def job(state: str, fraction: float | None = None, message: str = "") -> dict[str, Any]:
    progress = None if fraction is None and not message else {"fraction": fraction, "message": message}
    return {"state": state, "progress": progress}


def waited_for_a_job(terminal: Terminal) -> None:
    clock = FakeClock()
    progress = Progress(terminal, clock)
    progress.tell("Starting the machine in europe-west1-b")
    clock.advance(19.4)
    progress.tell("Waiting for the bus at http://203.0.113.7:8000")
    clock.advance(4.2)
    progress.tell("Job 01935a7e is accepted")
    for state in (
        job("queued"),
        job("running", 0.0),
        job("running", 0.25, "page 1 of 4"),
        job("running", 1.0),
    ):
        progress.watch(state)
        clock.advance(1.0)
    progress.watch(job("succeeded"))
    progress.close()


def test_a_terminal_shows_each_step_and_one_line_for_the_job_that_changes() -> None:
    terminal = Terminal(live=True)

    waited_for_a_job(terminal)

    assert terminal.screen() == [
        "    0 s  Starting the machine in europe-west1-b",
        "   19 s  Waiting for the bus at http://203.0.113.7:8000",
        "   24 s  Job 01935a7e is accepted",
        "   27 s  running  ████████████████████████ 100%",
        "   28 s  succeeded",
    ]
    assert "running  ██████░░░░░░░░░░░░░░░░░░  25%  page 1 of 4" in terminal.getvalue()


def test_elsewhere_each_change_is_a_line() -> None:
    terminal = Terminal(live=False)

    waited_for_a_job(terminal)

    assert "\r" not in terminal.getvalue()
    assert terminal.screen()[3:6] == [
        "   24 s  queued",
        "   25 s  running  ░░░░░░░░░░░░░░░░░░░░░░░░   0%",
        "   26 s  running  ██████░░░░░░░░░░░░░░░░░░  25%  page 1 of 4",
    ]


def test_no_line_is_wider_than_the_terminal_since_only_one_row_could_be_written_over() -> None:
    terminal = Terminal(live=True)
    progress = Progress(terminal, FakeClock())

    progress.watch(job("running", 0.5, "字" * 100))
    progress.watch(job("running", 0.6, "x" * 100))

    first, second = terminal.getvalue().split("\r\033[K")
    assert first == "    0 s  running  ████████████░░░░░░░░░░░░  50%  " + "字" * 15
    assert len(second) == 79


def test_a_terminal_shows_the_time_that_passes_though_nothing_happens() -> None:
    terminal, clock = Terminal(live=True), FakeClock()
    progress = Progress(terminal, clock)

    for _ in range(3):
        progress.watch(job("running"))
        clock.advance(1)

    assert terminal.screen() == ["    2 s  running"]


def test_a_terminal_that_can_do_nothing_gets_a_line_for_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal(live=True)

    waited_for_a_job(terminal)

    assert "\r" not in terminal.getvalue()


def test_what_is_the_same_is_not_said_again() -> None:
    terminal = Terminal(live=False)
    progress = Progress(terminal, FakeClock())

    for _ in range(3):
        progress.watch(job("running", 0.5))

    assert len(terminal.screen()) == 1


def test_a_stream_that_knows_ascii_only_gets_a_bar_of_ascii() -> None:
    terminal = Terminal(live=True, encoding="ascii")

    Progress(terminal, FakeClock()).watch(job("running", 0.5))

    assert terminal.getvalue() == "    0 s  running  ############............  50%"


def test_what_a_job_says_cannot_move_the_cursor() -> None:
    terminal = Terminal(live=False)

    Progress(terminal, FakeClock()).watch(job("running", None, "\x1b[2J\rowned\n"))

    assert terminal.getvalue() == "    0 s  running  \\x1b[2J\\rowned\n"


@pytest.mark.parametrize("fraction", [-1.0, 7.0])
def test_a_fraction_that_is_none_breaks_no_bar(fraction: float) -> None:
    terminal = Terminal(live=False)

    Progress(terminal, FakeClock()).watch(job("running", fraction))

    assert terminal.getvalue().count("█") in (0, 24)


def test_programs_are_told_nothing() -> None:
    terminal = Terminal(live=False)
    progress = Progress(terminal, FakeClock(), quiet=True)

    progress.tell("Starting the machine")
    progress.watch(job("running", 0.5))
    progress.close()

    assert terminal.getvalue() == ""
