"""A folder and a bucket are mirrors alike: what one suite asks of both."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from cloud.mirrors import open_mirror
from core.errors import ConfigError
from core.mirror import Mirror, MirrorFailed
from tests.cloud.fake_google import FakeGoogle

BUCKET = "quiet-results"


class Stage:
    """A mirror, and what others do in it."""

    def __init__(self, mirror: Mirror, write: Callable[[str, bytes], object], read: Callable[[str], bytes]):
        self.mirror = mirror
        self.write = write
        self.read = read


def a_folder(tmp_path: Path, google: FakeGoogle) -> Stage:
    root = tmp_path / "mirror"
    (root / "inbox").mkdir(parents=True)
    return Stage(
        open_mirror(f"folder:{root}"),
        lambda path, content: (root / path).write_bytes(content),
        lambda path: (root / path).read_bytes(),
    )


def a_bucket(tmp_path: Path, google: FakeGoogle) -> Stage:
    google.storage.buckets[BUCKET] = {}
    return Stage(
        open_mirror(f"gs://{BUCKET}/team/bus", google=google.url),
        lambda path, content: google.storage.put(BUCKET, f"team/bus/{path}", content),
        lambda path: google.storage.buckets[BUCKET][f"team/bus/{path}"].content,
    )


@pytest.fixture(params=[a_folder, a_bucket])
def stage(request: pytest.FixtureRequest, tmp_path: Path, google: FakeGoogle) -> Stage:
    made: Stage = request.param(tmp_path, google)
    return made


def put(mirror: Mirror, path: str, content: bytes = b"{}") -> None:
    mirror.put(path, BytesIO(content), size=len(content), content_type="application/json")


def test_what_is_put_is_there_in_place_of_what_was(stage: Stage) -> None:
    put(stage.mirror, "results/a.json", b"old")

    put(stage.mirror, "results/a.json", b"new")

    assert stage.read("results/a.json") == b"new"
    assert list(stage.mirror.names("results")) == ["a.json"]


def test_names_are_those_of_one_folder(stage: Stage) -> None:
    put(stage.mirror, "statuses/a.json")
    put(stage.mirror, "statuses/b.json")
    put(stage.mirror, "statuses-of-others/c.json")
    put(stage.mirror, "files/a/deep/one.txt")

    assert sorted(stage.mirror.names("statuses")) == ["a.json", "b.json"]
    assert list(stage.mirror.names("receipts")) == []


@pytest.mark.parametrize("name", ["a b.txt", "ä?#%&+.txt", "deep/er/x.txt", "100%25.txt"])
def test_names_of_files_are_kept_to_the_letter(stage: Stage, name: str) -> None:
    put(stage.mirror, f"files/1/{name}", b"content")

    assert stage.read(f"files/1/{name}") == b"content"


def test_an_empty_file_is_a_file(stage: Stage) -> None:
    put(stage.mirror, "files/1/empty", b"")

    assert stage.read("files/1/empty") == b""


def test_what_lies_in_the_mailbox_is_read_and_removed(stage: Stage) -> None:
    stage.write("inbox/two.json", b"22")
    stage.write("inbox/one.json", b"1")

    one, two = stage.mirror.left()
    contents = stage.mirror.get(one), stage.mirror.get(two)
    stage.mirror.remove(one)

    assert [(left.name, left.size, left.regular) for left in (one, two)] == [
        ("one.json", 1, True),
        ("two.json", 2, True),
    ]
    assert contents == (b"1", b"22")
    assert stage.mirror.left() == [two]


def test_what_has_changed_is_neither_read_nor_removed_nor_put_aside(stage: Stage) -> None:
    stage.write("inbox/one.json", b"1")
    (left,) = stage.mirror.left()
    stage.write("inbox/one.json", b"another")

    content = stage.mirror.get(left)
    stage.mirror.remove(left)
    stage.mirror.put_aside(left)

    assert content is None
    assert stage.read("inbox/one.json") == b"another"
    assert list(stage.mirror.names("refused")) == []


def test_what_has_gone_is_no_fault(stage: Stage) -> None:
    stage.write("inbox/one.json", b"1")
    (left,) = stage.mirror.left()
    stage.mirror.remove(left)

    stage.mirror.remove(left)
    stage.mirror.put_aside(left)

    assert stage.mirror.get(left) is None


def test_what_is_refused_is_moved_as_it_is(stage: Stage) -> None:
    stage.write("inbox/odd ?.json", b"\xff\x00")
    (left,) = stage.mirror.left()

    stage.mirror.put_aside(left)

    assert stage.mirror.left() == []
    assert stage.read("refused/odd ?.json") == b"\xff\x00"


def test_the_mailbox_need_not_be_there(tmp_path: Path, google: FakeGoogle) -> None:
    google.storage.buckets["empty"] = {}

    for mirror in (open_mirror(f"folder:{tmp_path}"), open_mirror("gs://empty", google=google.url)):
        assert mirror.left() == []
        assert mirror.check() is None


def test_a_folder_that_cannot_be_written_says_why_and_keeps_no_draft(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("No folder.")
    (tmp_path / "statuses" / "a.json").mkdir(parents=True)
    mirror = open_mirror(f"folder:{tmp_path}")

    with pytest.raises(MirrorFailed, match="exists"):
        put(mirror, "results/a.json")
    with pytest.raises(MirrorFailed, match="directory"):
        put(mirror, "statuses/a.json")

    assert [path.name for path in (tmp_path / "statuses").iterdir()] == ["a.json"]


def test_a_folder_that_cannot_be_come_by_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shut(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", shut)
    mirror = open_mirror(f"folder:{tmp_path}")

    assert mirror.check() == (
        f"folder:{tmp_path}: Permission denied. Let the user of the bus into every folder above it."
    )
    with pytest.raises(MirrorFailed, match="Permission denied"):
        put(mirror, "results/a.json")


def test_a_folder_that_may_not_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    problem = open_mirror(f"folder:{tmp_path}").check()

    assert "may not write there" in (problem or "")
    assert "ReadWritePaths=" in (problem or "")


def test_what_failed_is_named_unless_it_was_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mirror = open_mirror(f"folder:{tmp_path}")

    with pytest.raises(MirrorFailed, match=r"'files/1/n+': File name too long\."):
        put(mirror, f"files/1/{'n' * 300}")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MirrorFailed, match=rf"^folder:{tmp_path}: No space left on device\.$"):
        put(mirror, "results/a.json")
    assert list((tmp_path / "results").iterdir()) == []


def test_two_processes_of_one_number_write_into_one_folder_without_harm(tmp_path: Path) -> None:
    one, other = open_mirror(f"folder:{tmp_path}"), open_mirror(f"folder:{tmp_path}")

    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            put(other, "results/b.json", b"of the other")
            return super().read(size)

    one.put("results/a.json", Slow(b"of the one"), size=10, content_type="application/json")

    assert (tmp_path / "results" / "a.json").read_bytes() == b"of the one"
    assert (tmp_path / "results" / "b.json").read_bytes() == b"of the other"
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_a_bucket_without_a_prefix_is_a_mirror(google: FakeGoogle) -> None:
    google.storage.buckets[BUCKET] = {}
    mirror = open_mirror(f"gs://{BUCKET}", google=google.url)

    put(mirror, "results/a.json", b'{"a": 1}')

    assert json.loads(google.storage.buckets[BUCKET]["results/a.json"].content) == {"a": 1}
    assert mirror.name == f"gs://{BUCKET}"


@pytest.mark.parametrize("spec", ["folder:", "folder:relative", "gs:", "gs://", "s3://bucket", "/var/mirror"])
def test_what_is_no_mirror_is_refused_with_what_is(spec: str) -> None:
    with pytest.raises(ConfigError, match="write folder:/absolute/path or gs://bucket"):
        open_mirror(spec)
