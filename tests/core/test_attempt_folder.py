"""Every attempt finds an empty home and an empty tmp, whatever the one before it did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.attempt_folder import lent, made, returned
from core.leftovers import folder_prefix

JOB, OTHER = "0193518c-0000-7000-8000-000000000001", "0193518c-0000-7000-8000-000000000002"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_new(folder: Path) -> bool:
    """Say whether a folder is as an attempt expects it."""
    within = [folder / "home", folder / "tmp"]
    return sorted(folder.iterdir()) == within and all(
        one.is_dir()
        and not one.is_symlink()
        and not list(one.iterdir())
        and one.stat().st_mode & 0o777 == 0o700
        for one in within
    )


def test_a_folder_in_which_nothing_was_left_serves_the_next_attempt_under_its_own_name() -> None:
    first = lent(made(), JOB)
    inode = first.stat().st_ino

    second = lent(returned(first), OTHER)

    assert not first.exists()
    assert second.name.startswith(folder_prefix(OTHER))
    assert second.stat().st_ino == inode
    assert is_new(second)


@pytest.mark.parametrize(
    "leave",
    [
        lambda folder: (folder / "tmp" / "left").write_text("x"),
        lambda folder: (folder / "home" / ".cache").mkdir(),
        lambda folder: (folder / "beside").write_text("x"),
        lambda folder: (folder / "tmp").chmod(0o777),
        lambda folder: (folder / "tmp").rmdir(),
        lambda folder: ((folder / "tmp").rmdir(), (folder / "tmp").symlink_to(folder / "home")),
        lambda folder: ((folder / "home").rmdir(), (folder / "home").write_text("")),
    ],
    ids=[
        "a file",
        "a folder",
        "a file beside",
        "other rights",
        "no tmp",
        "a link for tmp",
        "a file for home",
    ],
)
def test_a_folder_in_which_anything_was_left_or_changed_is_removed(
    leave: Callable[[Path], object], temporary: Path
) -> None:
    folder = lent(made(), JOB)
    leave(folder)

    spare = returned(folder)

    assert spare is None
    assert list(temporary.iterdir()) == []
    assert is_new(lent(spare, OTHER))


def test_a_spare_folder_that_somebody_removed_is_made_anew(temporary: Path) -> None:
    spare = made()
    (spare / "home").rmdir()
    (spare / "tmp").rmdir()
    spare.rmdir()

    folder = lent(spare, JOB)

    assert list(temporary.iterdir()) == [folder]
    assert is_new(folder)
