"""Ways to damage a record on the disk, as failing disks, careless copies and clumsy hands do it."""

from __future__ import annotations

import codecs
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Who the bus is while records of another user lie in its folders.
NOBODY = 65534


def truncated(path: Path, chance: random.Random) -> None:
    """Cut the end off."""
    rewrite(path, path.read_bytes()[: chance.randrange(path.stat().st_size)])


def zeroed(path: Path, chance: random.Random) -> None:
    """Write zeros over a part, as where a block was lost."""
    data = path.read_bytes()
    first = chance.randrange(len(data) // 2)
    rewrite(path, data[:first] + bytes(len(data) // 2) + data[first + len(data) // 2 :])


def flipped(path: Path, chance: random.Random) -> None:
    """Flip one to eight bits."""
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    rewrite(path, bytes(data))


def overwritten(path: Path, chance: random.Random) -> None:
    """Put chance bytes in its place."""
    rewrite(path, chance.randbytes(path.stat().st_size))


def taken(path: Path, chance: random.Random) -> None:
    """Let it belong to somebody else, who lets nobody read it."""
    del chance
    path.chmod(0o600)
    os.chown(path, 0, 0)


def a_folder(path: Path, chance: random.Random) -> None:
    """Put a folder of its name in its place."""
    del chance
    path.unlink()
    path.mkdir()
    give_to_nobody(path)


def rewrite(path: Path, data: bytes) -> None:
    """Change the content and leave everything else, the times too."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


Damage = Callable[[Path, random.Random], None]

DAMAGES: list[Damage] = [truncated, zeroed, flipped, overwritten, a_folder]
if os.geteuid() == 0:  # nobody else can give a file away
    DAMAGES.append(taken)


def give_to_nobody(base: Path) -> None:
    """Let a folder and all that is in it belong to the user that `as_nobody` becomes."""
    if os.geteuid() == 0:
        for path in [base, *base.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no more rights than anybody; who was root is root again after."""
    if os.geteuid() != 0:
        yield
        return
    codecs.lookup("utf-8-sig")  # Python loads it when it is used, and nobody may not read root's Python
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
