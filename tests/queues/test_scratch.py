"""The scratch folder of an engine object, when that is closed."""

from __future__ import annotations

from pathlib import Path

from tests.queues.conftest import MakeEngine


def test_a_closed_engine_holds_nothing_open_in_tmp_and_leaves_nothing_there(
    make_engine: MakeEngine, base: Path
) -> None:
    engine = make_engine()
    held_before = open_below(base / "tmp")

    engine.close()

    assert len(held_before) == 1
    assert open_below(base / "tmp") == []
    assert list((base / "tmp").iterdir()) == []


def open_below(folder: Path) -> list[str]:
    """Return what this process holds open below a folder: while it does, it cannot be unmounted."""
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return [target for target in targets if target.startswith(str(folder))]
