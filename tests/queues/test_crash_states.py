"""Power cuts in miniature: every state that may be on the disk between any two calls is booted and audited.

What is not synced may be there or not: names in any combination, contents empty, half or whole.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from queues.file.disk import OpenFolder
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.queues.disks import Call, QuickDisk, RecordingDisk, rebuilt
from tests.queues.story import Story, audit

OPTIONS = FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0)
NAMING = {"create", "rename", "link", "unlink", "make folder", "remove folder"}


class SyncsNoFiles(RecordingDisk):
    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        super().write_new(path, data, sync=False, mtime=mtime)


class SyncsNoWaiting(RecordingDisk):
    def sync_folder(self, folder: OpenFolder) -> None:
        if "/inbound/" not in folder.path:
            super().sync_folder(folder)


class SyncsNoEndings(RecordingDisk):
    def sync_folder(self, folder: OpenFolder) -> None:
        if "/outbound/" not in folder.path:
            super().sync_folder(folder)


class SyncsNoClaims(RecordingDisk):
    def sync_folder(self, folder: OpenFolder) -> None:
        if not folder.path.endswith("/running"):
            super().sync_folder(folder)


@dataclass(frozen=True)
class Cut:
    """What is on the disk after a power cut."""

    #: How many calls had been made.
    until: int
    tree: tuple[tuple[str, int], ...]
    contents: tuple[tuple[int, bytes], ...]
    marked: frozenset[int]


def told(base: Path, disk: RecordingDisk) -> Story:
    engine = FileEngine(str(base), OPTIONS, disk=disk)
    disk.calls.clear()  # a folder that was never used yet is not what this is about
    story = Story(engine, clock=lambda: len(disk.calls))
    story.tell()
    engine.close()
    assert not story.errors
    return story


def cuts(calls: list[Call], chance: random.Random) -> Iterator[Cut]:
    """Yield the states: all where they are few, else the likely ones and some at random."""
    seen = set()
    for until in range(1, len(calls) + 1):
        done = calls[:until]
        unsynced = [
            number for number, call in enumerate(done) if call.kind in NAMING and not is_synced(number, done)
        ]
        for lost in subsets(unsynced, chance):
            tree = surviving(done, lost)
            for contents, marked in contents_of(done, set(tree.values())):
                cut = Cut(until, tuple(sorted(tree.items())), contents, marked)
                if (key := (cut.tree, cut.contents, cut.marked)) not in seen:
                    seen.add(key)
                    yield cut


def is_synced(number: int, done: list[Call]) -> bool:
    folder = done[number].names_in
    return any(call.kind == "sync folder" and call.path == folder for call in done[number + 1 :])


def subsets(unsynced: list[int], chance: random.Random) -> Iterator[frozenset[int]]:
    recent = unsynced[-5:]
    if len(unsynced) <= 3:
        sizes = (itertools.combinations(unsynced, size) for size in range(len(unsynced) + 1))
        yield from map(frozenset, itertools.chain.from_iterable(sizes))
        return
    yield frozenset()
    yield frozenset(unsynced)
    yield from (frozenset({one}) for one in recent)
    yield from (frozenset(one for one in unsynced if chance.random() < 0.5) for _ in range(2))


def surviving(done: list[Call], lost: frozenset[int]) -> dict[str, int]:
    """Return which names are there if the given calls never reached the disk."""
    tree: dict[str, int] = {}
    for number, call in enumerate(done):
        if number in lost:
            continue
        if call.kind == "rename":
            tree.pop(call.source, None)
        if call.kind in {"create", "rename", "link"}:
            tree[call.path] = call.inode
        elif call.kind == "unlink":
            tree.pop(call.path, None)
    gone = {done[number].path for number in lost if done[number].kind == "make folder"}
    return {
        path: inode for path, inode in tree.items() if not any(path.startswith(f"{top}/") for top in gone)
    }


Contents = tuple[tuple[int, bytes], ...]


def contents_of(done: list[Call], inodes: set[int]) -> Iterator[tuple[Contents, frozenset[int]]]:
    """Yield what the files may hold: all that was written, or of what was not synced nothing or the half."""
    written: dict[int, bytes] = {}
    synced: dict[int, bytes] = {}
    marked: set[int] = set()
    surely_marked: set[int] = set()
    for call in done:
        if call.kind == "create":
            written[call.inode], synced[call.inode] = b"", b""
            marked.discard(call.inode)
            surely_marked.discard(call.inode)
        elif call.kind == "data":
            written[call.inode] = written.get(call.inode, b"") + call.data
        elif call.kind == "mark":
            marked.add(call.inode)
        elif call.kind == "sync file":
            synced[call.inode] = written[call.inode]
            surely_marked |= marked & {call.inode}
    half = {
        inode: synced[inode] + data[len(synced[inode]) : len(data) // 2] for inode, data in written.items()
    }
    for version in (written, synced, half):
        for marks in {frozenset(marked & inodes), frozenset(surely_marked & inodes)}:
            yield tuple(sorted((inode, version[inode]) for inode in inodes)), marks


def violations(base: Path, disk: RecordingDisk) -> Iterator[str]:
    """Tell the story once, then boot and audit the states that a cut may have left; yield what is wrong."""
    story = told(base, disk)
    for cut in cuts(disk.calls, random.Random(1)):
        shutil.rmtree(base)
        base.mkdir()
        rebuilt(dict(cut.tree), dict(cut.contents), set(cut.marked), disk.mtimes)
        engine = FileEngine(str(base), OPTIONS, disk=QuickDisk())
        wrong = audit(story, engine, until=cut.until)
        engine.close()
        yield from (f"after {cut.until} ({disk.calls[cut.until - 1]}): {what}" for what in wrong)


def test_no_power_cut_loses_or_repeats_what_was_acknowledged(quick_folder: Path) -> None:
    assert list(violations(quick_folder, RecordingDisk())) == []


@pytest.mark.parametrize("disk", [SyncsNoFiles, SyncsNoWaiting, SyncsNoEndings, SyncsNoClaims])
def test_an_engine_that_syncs_too_little_is_caught(quick_folder: Path, disk: type[RecordingDisk]) -> None:
    assert next(violations(quick_folder, disk()), None) is not None
