"""A hold keeps the machine on for its time: across restarts, in all processes of a folder, never for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import ShuttingDown
from core.holds import LONGEST_HOLD, Holds
from core.machine import PowerState
from tests.core.power_bench import ASwitch, Machine
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hold.json"


def holds(file: Path | None, clock: FakeClock, boot: str = "this boot") -> tuple[Holds, list[str]]:
    said: list[str] = []
    return Holds(file, clock, boot=boot, warn=said.append), said


def left(file: Path, clock: FakeClock, boot: str = "this boot") -> float | None:
    """Return how many seconds of hold a service finds that starts now."""
    held = holds(file, clock, boot)[0].current()
    return None if held is None else held.until - clock.boottime()


def test_a_hold_keeps_the_machine_on_until_it_ends(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())

    machine.power.hold(1_000, by="ann", why="demo")
    states = [machine.step_after(999), machine.step_after(1)]

    assert states == [PowerState.ACCEPTING, PowerState.STOPPING]
    assert machine.heard("system.power_hold") == ["ann holds the machine for 16 minutes 40 seconds (demo)"]


def test_the_status_says_until_when_a_hold_lasts(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())

    machine.power.hold(1_000, by="ann", why="demo")

    status = machine.power.status()
    assert status.hold is not None
    assert status.hold.until == machine.clock.now() + 1_000
    assert [reason.code for reason in status.reasons] == ["hold", "boot_grace"]
    machine.clock.advance(1_000)
    assert machine.power.status().hold is None


def test_a_released_hold_holds_no_longer(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch(), hold_file=tmp_path / "hold.json")
    machine.power.hold(1_000, by="ann", why="demo")

    machine.power.release_hold()
    machine.power.release_hold()

    assert machine.step_after(300) is PowerState.STOPPING
    assert machine.heard("system.power_released") == ["the hold was released"]


def test_a_hold_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())
    machine.step_after(300)

    with pytest.raises(ShuttingDown):
        machine.power.hold(1_000, by="ann", why="demo")


def test_a_hold_outlives_a_restart_of_the_service(tmp_path: Path, file: Path) -> None:
    first = Machine(tmp_path, ASwitch(), hold_file=file)
    first.power.hold(1_000, by="ann", why="demo")
    first.clock.advance(400)

    second = Machine(tmp_path, ASwitch(), hold_file=file, clock=first.clock)

    held = second.power.held
    assert held is not None
    assert (held.until - second.clock.boottime(), held.by, held.why) == (600, "ann", "demo")


def test_every_process_of_the_folder_sees_a_hold_and_its_release(clock: FakeClock, file: Path) -> None:
    one, other = holds(file, clock)[0], holds(file, clock)[0]
    before = other.current()

    one.place(1_000, by="ann", why="demo")
    held = other.current()
    other.release()

    assert before is None
    assert held is not None
    assert one.current() is None


@pytest.mark.parametrize("jump", [-86_400, 86_400, -1e9, 1e9])
def test_within_a_boot_no_jump_of_the_wall_clock_moves_the_end(
    clock: FakeClock, file: Path, jump: float
) -> None:
    holds(file, clock)[0].place(1_000, by="ann", why="demo")

    clock.jump(jump)
    clock.advance(400)

    assert left(file, clock) == 600


def test_a_hold_lasts_into_the_next_boot_by_the_wall_clock(clock: FakeClock, file: Path) -> None:
    holds(file, clock)[0].place(1_000, by="ann", why="demo")
    clock.advance(400)

    clock.boot = 5.0
    found = left(file, clock, "next boot")
    clock.advance(100)
    clock.jump(-5_000)

    assert found == 600
    assert left(file, clock, "next boot") == 500


@pytest.mark.parametrize(("jump", "found"), [(-86_400, 1_000), (-1e9, 1_000), (86_400, None), (1e9, None)])
def test_a_wrong_clock_at_boot_never_makes_a_hold_longer_than_it_was(
    clock: FakeClock, file: Path, jump: float, found: float | None
) -> None:
    holds(file, clock)[0].place(1_000, by="ann", why="demo")

    clock.boot = 5.0
    clock.jump(jump)

    assert left(file, clock, "next boot") == found


def test_a_hold_is_a_day_at_most_whoever_wrote_it(clock: FakeClock, file: Path) -> None:
    placed = holds(file, clock)[0].place(1e9, by="ann", why="demo")

    edited = json.loads(file.read_text()) | {"seconds": 1e12, "until_boottime": 1e12}
    file.write_text(json.dumps(edited))

    assert placed.until - clock.boottime() == LONGEST_HOLD
    assert left(file, clock) == LONGEST_HOLD


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"by": 1}', '{"boot": "this boot", "until_boottime": "x"}']
)
def test_a_damaged_file_holds_nothing_and_is_told_of(clock: FakeClock, file: Path, text: str) -> None:
    file.write_text(text)
    damaged, said = holds(file, clock)

    found = [damaged.current(), damaged.current()]

    assert found == [None, None]
    assert said == [f"the hold in {file} cannot be read and does not count"]
    assert damaged.place(10, by="ann", why="demo") == damaged.current()


def test_a_hold_that_cannot_be_written_holds_all_the_same(clock: FakeClock, file: Path) -> None:
    file.mkdir()
    kept, said = holds(file, clock)

    kept.place(1_000, by="ann", why="demo")

    held = kept.current()
    assert held is not None
    assert "the hold would not outlive the service" in said[-1]


def test_a_file_is_not_left_behind_by_a_release(clock: FakeClock, file: Path) -> None:
    kept = holds(file, clock)[0]
    kept.place(1_000, by="ann", why="demo")
    document = json.loads(file.read_text())

    released = [kept.release(), kept.release()]

    assert document["by"] == "ann"
    assert released == [True, False]
    assert not file.exists()
