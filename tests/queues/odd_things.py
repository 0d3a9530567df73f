"""Odd things that people may put into the queue's folder, and the places where they hurt most."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from core.ids import uuid7
from tests.factories import NOW

#: The id of no job, in the bucket in which the test's jobs are, and one of the next bucket.
ODD = uuid7(int(NOW * 1e9), 0)
OTHER = uuid7(int((NOW + 70) * 1e9), 0)
BUCKET = ODD[:8]


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_text("{}")


def a_folder_of_records(path: Path) -> None:
    path.mkdir()
    (path / f"{OTHER}.json").write_text("{}")
    (path / f"{'z' * 36}.json").write_text("{}")


KINDS: dict[str, Callable[[Path], object]] = {
    "folder": a_folder,
    "folder of records": a_folder_of_records,
    "nonsense": lambda path: path.write_bytes(b"\xff\xfenonsense\n{}\0"),
    "loop": lambda path: path.symlink_to(path.name),
    "link to its folder": lambda path: path.symlink_to("."),
    "link to another folder": lambda path: path.symlink_to("/usr"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "pipe": os.mkfifo,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}

PLACES = [
    "inbound/p5",
    "inbound/p7",
    "inbound/q-x",
    "inbound/q-x/p5",
    f"inbound/p5/{BUCKET}",
    f"inbound/p5/{OTHER[:8]}",
    "inbound/p5/zzz",
    f"inbound/p5/{BUCKET}/{ODD}.json",
    f"inbound/p5/{BUCKET}/{OTHER}.json",
    f"inbound/p5/{BUCKET}/{'z' * 36}.json",
    f"scheduled/{BUCKET}",
    "scheduled/zzz",
    f"scheduled/{BUCKET}/{ODD}.json",
    f"scheduled/{BUCKET}/{OTHER}.json",
    f"running/{ODD}.json",
    f"running/{ODD}.cancel",
    f"running/{'z' * 36}.json",
    "running/zzz",
    f"outbound/{BUCKET}",
    "outbound/00000000",
    "outbound/zzz",
    f"outbound/{BUCKET}/{ODD}.json",
    f"outbound/{BUCKET}/{ODD}.result.json",
    "journal/x.journal",
    "journal/zzz",
    "keys/ab",
    "keys/zz",
    "keys/ab/zzz",
    "tmp/zzz",
    "tombstones/zzz.txt",
    f"tombstones/{BUCKET}.txt",
    f"logs/{BUCKET}",
    f"logs/{BUCKET}/{ODD}.log",
    f"failed/{ODD}.json",
    "quarantine/zzz",
    f"quarantine/1-a-{ODD}.json",
    "locks/zzz",
    f"live/{ODD}.json",
    "reserve.bin",
]


def put(base: Path, kind: str, place: str) -> None:
    path = base / place
    path.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](path)
