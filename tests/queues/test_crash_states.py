"""Power cuts in miniature: every state that may be on the disk between any two calls is booted and audited.

What is not synced may be there or not: names in any combination, contents empty, half or whole.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from queues.file.disk import OpenFolder
from queues.file.engine import FileEngine
from queues.file.entries import Kind
from queues.file.journal import Journal
from queues.file.options import FileOptions
from queues.file.replay import Replay
from tests.conftest import Effort, Evidence
from tests.queues.disks import Call, QuickDisk, RecordingDisk, rebuilt
from tests.queues.story import Story, audit

OPTIONS = FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0, journal_step=4096)
WHAT = "states that a power cut may leave between any two disk calls, each opened, drained and audited"
NAMING = {"create", "rename", "link", "unlink", "make folder", "remove folder"}


class SyncsNoJournal(RecordingDisk):
    def sync_data(self, fd: int) -> None:
        pass


class SyncsNoVolumes(RecordingDisk):
    def sync_folder(self, folder: OpenFolder) -> None:
        if not folder.path.endswith("/journal"):
            super().sync_folder(folder)


class SyncsNothingInTheEnd(RecordingDisk):
    def sync_all(self, fd: int) -> None:
        pass


class SyncsNoResults(RecordingDisk):
    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        super().write_new(path, data, sync=sync and "FORMAT" in path, mtime=mtime)


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
    disk.opened = len(disk.calls)
    story = Story(engine, clock=lambda: len(disk.calls))
    story.tell()
    engine.close()
    assert not story.errors
    return story


def cuts(calls: list[Call], chance: random.Random, *, opened: int) -> Iterator[Cut]:
    """Yield the states: all where they are few, else the likely ones and some at random.

    A folder that was never used yet is not what this is about: the engine is open after `opened` calls.
    """
    seen = set()
    for until in range(opened + 1, len(calls) + 1):
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
    return any(
        call.kind == "sync all" or (call.kind == "sync folder" and call.path == folder)
        for call in done[number + 1 :]
    )


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


Step = Callable[[], None]
Contents = tuple[tuple[int, bytes], ...]


def contents_of(done: list[Call], inodes: set[int]) -> Iterator[tuple[Contents, frozenset[int]]]:
    """Yield what the files may hold: all that was written, or of what was not synced nothing or the half."""
    files = Files()
    for call in done:
        files.see(call)
    half = {inode: halfway(files.synced[inode], data) for inode, data in files.written.items()}
    for version in (files.written, files.synced, half):
        for marks in {frozenset(files.marked & inodes), frozenset(files.surely_marked & inodes)}:
            yield tuple(sorted((inode, version[inode]) for inode in inodes)), marks


class Files:
    """What was written to each inode and marked on it, and how much of that is synced."""

    def __init__(self) -> None:
        self.written: dict[int, bytes] = {}
        self.synced: dict[int, bytes] = {}
        self.marked: set[int] = set()
        self.surely_marked: set[int] = set()

    def see(self, call: Call) -> None:
        if call.kind == "create":
            self.written[call.inode], self.synced[call.inode] = b"", b""
            self.marked.discard(call.inode)
            self.surely_marked.discard(call.inode)
        elif call.kind == "data":
            self.written[call.inode] = spliced(self.written.get(call.inode, b""), call.data, call.position)
        elif call.kind == "mark":
            self.marked.add(call.inode)
        elif call.kind == "sync file":
            self.synced[call.inode] = self.written[call.inode]
            self.surely_marked |= self.marked & {call.inode}
        elif call.kind == "sync all":
            self.synced, self.surely_marked = dict(self.written), set(self.marked)


def spliced(content: bytes, data: bytes, position: int | None) -> bytes:
    """Return the content with the data written over it, or after it."""
    start = len(content) if position is None else position
    return content[:start] + data + content[start + len(data) :]


def halfway(before: bytes, after: bytes) -> bytes:
    """Return the content when of what has changed only the first half is on the disk."""
    padded = before + bytes(max(0, len(after) - len(before)))
    changed = [place for place in range(len(after)) if after[place] != padded[place]]
    if not changed:
        return before
    middle = (changed[0] + changed[-1] + 1) // 2
    return after[:middle] + before[middle:]


def violations(
    base: Path, disk: RecordingDisk, *, seed: int = 1, mixed: Callable[[list[Cut]], list[Cut]] = list
) -> Iterator[str]:
    """Tell the story once, then boot and audit the states that a cut may have left; yield what is wrong."""
    story = told(base, disk)
    for cut in mixed(list(cuts(disk.calls, random.Random(seed), opened=disk.opened))):
        disk.states += 1
        shutil.rmtree(base)
        base.mkdir()
        rebuilt(dict(cut.tree), dict(cut.contents), set(cut.marked), disk.mtimes)
        engine = FileEngine(str(base), OPTIONS, disk=QuickDisk())
        wrong = audit(story, engine, until=cut.until)
        engine.close()
        yield from (f"after {cut.until} ({disk.calls[cut.until - 1]}): {what}" for what in wrong)


def test_no_power_cut_loses_or_repeats_what_was_acknowledged(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    states, wrong = 0, []
    for seed in range(1, 1 + effort(1, 5)):
        disk = RecordingDisk()
        wrong += list(violations(quick_folder, disk, seed=seed))
        states += disk.states
        shutil.rmtree(quick_folder)

    figures = {name: sum(name in what for what in wrong) for name in ("lost", "torn")}
    evidence("P2", WHAT, trials=states, **figures, unexpected=len(wrong) - sum(figures.values()))
    assert wrong == []
    assert states > 500


Caught = Callable[[Path, RecordingDisk], bool]


def mixed(states: list[Cut]) -> list[Cut]:
    return random.Random(1).sample(states, len(states))


@pytest.fixture
def caught(evidence: Evidence) -> Caught:
    """Tell whether a broken engine shows in one of its states, and take that down."""

    def is_caught(base: Path, disk: RecordingDisk) -> bool:
        # In any order one of them shows soon; in theirs those of the story's end come last.
        is_wrong = next(violations(base, disk, mixed=mixed), None) is not None
        evidence("P2", "broken engines crashed", trials=disk.states, mutants=1, caught=int(is_wrong))
        return is_wrong

    return is_caught


@pytest.mark.parametrize("disk", [SyncsNoJournal, SyncsNoVolumes, SyncsNothingInTheEnd, SyncsNoResults])
def test_an_engine_that_syncs_too_little_is_caught(
    quick_folder: Path, disk: type[RecordingDisk], caught: Caught
) -> None:
    assert caught(quick_folder, disk())


@pytest.mark.parametrize("step", ["_store", "_is_taken", "_renew", "_claim", "_end"])
def test_a_replay_that_leaves_a_step_out_is_caught(
    quick_folder: Path, step: str, monkeypatch: pytest.MonkeyPatch, caught: Caught
) -> None:
    monkeypatch.setattr(Replay, step, lambda *_: False)

    assert caught(quick_folder, RecordingDisk())


def test_an_engine_that_shows_a_step_before_it_is_durable_is_caught(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, caught: Caught
) -> None:
    commit = Journal.commit

    def too_early(self: Journal, kind: Kind, records: Sequence[bytes], *, job_id: str, **steps: Step) -> None:
        for name in ("first", "then"):
            steps.get(name, lambda: None)()
        commit(self, kind, records, job_id=job_id)

    monkeypatch.setattr(Journal, "commit", too_early)

    assert caught(quick_folder, RecordingDisk())
