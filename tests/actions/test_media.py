"""The way into the folders that actions may read: never out of them, never through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actions._media import MEDIA_DIRS, files_below, opened_file, opened_folder, reason
from core import Fail


@pytest.fixture
def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The second of two allowed folders; beside them lies a third, which is not."""
    for name in ("first", "media/calls/old", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "secret" / "key.wav").write_bytes(b"secret")
    monkeypatch.setenv(MEDIA_DIRS, f"{tmp_path / 'first'}{os.pathsep}{tmp_path / 'media'}")
    return tmp_path / "media"


def files_of(folder: str | Path) -> list[str]:
    with opened_folder(str(folder)) as descriptor:
        return sorted(files_below(descriptor))


def open_now() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def refusal_of(folder: str | Path) -> tuple[str, str]:
    with pytest.raises(Fail) as refused:
        files_of(folder)
    return refused.value.code, str(refused.value)


def test_all_files_below_are_found(media: Path) -> None:
    for path in ("b.wav", "a.wav", "calls/2.wav", "calls/1.wav", "calls/old/0.wav"):
        (media / path).touch()

    assert files_of(media) == ["a.wav", "b.wav", "calls/1.wav", "calls/2.wav", "calls/old/0.wav"]
    assert files_of(f"{media}/./calls//") == ["1.wav", "2.wav", "old/0.wav"]


def test_a_relative_path_starts_at_the_first_folder(media: Path) -> None:
    (media.parent / "first" / "calls").mkdir()
    (media.parent / "first" / "calls" / "1.wav").touch()

    assert files_of("calls") == ["1.wav"]


@pytest.mark.parametrize(
    "folder", ["/", "/etc", "//etc", "{beside}/secret", "{beside}/mediasecret", "{beside}", "/proc/self/cwd"]
)
def test_a_folder_outside_is_refused(media: Path, folder: str) -> None:
    folder = folder.format(beside=media.parent)

    assert refusal_of(folder) == (
        "path_not_allowed",
        f"{folder} lies outside the folders that AAFAI_MEDIA_DIRS allows.",
    )


@pytest.mark.parametrize("folder", ["{media}/../secret", "../secret", "..", "{media}/calls/..", "a\0b"])
def test_a_path_that_leads_up_again_is_refused(media: Path, folder: str) -> None:
    assert refusal_of(folder.format(media=media))[0] == "path_not_allowed"


def test_without_allowed_folders_nothing_is_read(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEDIA_DIRS)

    assert refusal_of(media)[0] == refusal_of("calls")[0] == "path_not_allowed"


@pytest.mark.parametrize("place", ["link", "link/below", "calls/link"])
def test_a_link_on_the_way_is_not_followed(media: Path, place: str) -> None:
    (media.parent / "secret" / "below").mkdir()
    (media / "link").symlink_to(media.parent / "secret")
    (media / "calls" / "link").symlink_to("old")

    code, sentence = refusal_of(media / place)

    assert code == "unreadable_path"
    assert sentence.endswith("is no folder, or a symbolic link, which is not followed.")


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere", "is not there"),
        ("calls/nowhere/deeper", "is not there"),
        ("file.wav", "is no folder, or a symbolic link, which is not followed"),
        ("x" * 300, "has too long a name"),
    ],
)
def test_a_folder_that_cannot_be_opened_is_told_with_the_reason(media: Path, place: str, why: str) -> None:
    (media / "file.wav").touch()

    assert refusal_of(media / place) == ("unreadable_path", f"The folder {media / place} {why}.")


def test_links_among_the_files_are_listed_but_not_opened_and_folders_behind_them_are_not_entered(
    media: Path,
) -> None:
    (media / "link.wav").symlink_to(media.parent / "secret" / "key.wav")
    (media / "linked").symlink_to(media.parent / "secret")

    with opened_folder(str(media)) as folder:
        assert list(files_below(folder)) == ["link.wav"]
        with pytest.raises(OSError, match="symbolic links") as refused, opened_file(folder, "link.wav"):
            pytest.fail("It was opened.")

    assert reason(refused.value) == "is a symbolic link, which is not followed"


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(media: Path) -> None:
    (media / "calls" / "1.wav").touch()

    with opened_folder(str(media)) as folder:
        (path,) = files_below(folder)
        (media / "calls").rename(media / "moved")
        (media / "calls").symlink_to(media.parent / "secret")
        (media.parent / "secret" / "1.wav").write_bytes(b"secret")
        with pytest.raises(NotADirectoryError), opened_file(folder, path):
            pytest.fail("It was opened.")


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(media: Path) -> None:
    os.mkfifo(media / "pipe.wav")

    with opened_folder(str(media)) as folder:
        for name in ("pipe.wav", "calls"):
            with pytest.raises(OSError, match="Invalid argument") as refused, opened_file(folder, name):
                pytest.fail("It was opened.")
            assert reason(refused.value) == "is no regular file"


def test_a_file_is_read_and_nothing_stays_open(media: Path) -> None:
    (media / "calls" / "1.wav").write_bytes(b"sound")
    before = open_now()

    with opened_folder(str(media)) as folder, opened_file(folder, "calls/1.wav") as file:
        assert file.read() == b"sound"
    with (
        opened_folder(str(media)) as folder,
        pytest.raises(OSError, match="Invalid"),
        opened_file(folder, "calls"),
    ):
        pytest.fail("It was opened.")
    for nowhere in ("calls/nowhere", "nowhere/deeper"):
        with pytest.raises(Fail):
            files_of(media / nowhere)

    assert open_now() == before


def test_any_other_reason_is_told_in_the_words_of_the_system() -> None:
    assert reason(OSError(5, "Input/output error")) == "cannot be read: Input/output error"
