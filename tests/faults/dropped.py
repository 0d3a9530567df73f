"""What people and programs may drop into inbound/: sound files, damaged ones, and what is no file."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

SOUND = {"action": "fakejob", "params": {"delay_seconds": 0, "text": "x" * 20}, "priority": 7, "batch": "b"}

_ODD_VALUES = ("", None, -1, 1e300, [], {}, "../../x", "x" * 5000, True, [[[[]]]], "\x00", "\ud83d")
_ODD_NAMES = (
    "{}.json",
    "a b{}.json",
    "new\nline{}.json",
    "<img src=x onerror=alert(1)>{}.json",
    "n" * 200 + "{}.json",
    "日本{}.json",
    "-rf {}.json",
    "$(id){}.json",
    "{}.json.json",
    "018bcfe5-6806-7c76-b03d-18095b4c{:04}.json",
)


def contents(chance: random.Random) -> bytes:
    """Return the content of one dropped file."""
    make = chance.choice([_sound, _sound, _changed, _changed, _cut, _flipped, _noise, _deep, _odd_text])
    return make(chance)


def _sound(chance: random.Random) -> bytes:
    del chance
    return json.dumps(SOUND).encode()


def _changed(chance: random.Random) -> bytes:
    """Change one field, or add one that nobody knows."""
    name = chance.choice([*SOUND, "run_after", "timeout", "callback_url", "id", "state", "x"])
    return json.dumps(SOUND | {name: chance.choice(_ODD_VALUES)}).encode("utf-8", "surrogatepass")


def _cut(chance: random.Random) -> bytes:
    text = _sound(chance)
    return text[: chance.randrange(len(text))]


def _flipped(chance: random.Random) -> bytes:
    text = bytearray(_changed(chance))
    for _ in range(chance.randint(1, 5)):
        text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
    return bytes(text)


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 100, 5000]))


def _deep(chance: random.Random) -> bytes:
    depth = chance.choice([99, 101, 100_000])
    return chance.choice([b"[", b'{"a":']) * depth


def _odd_text(chance: random.Random) -> bytes:
    return chance.choice(
        [
            b"NaN",
            b"1e999",
            b"[1]",
            b'"action"',
            b'{"action":"a","action":"b"}',
            '{"action":"fakejob"}'.encode("utf-16"),
            b"\xef\xbb\xbf" + _sound(chance),
            b"9" * 5000,
            b"a: !!python/object/apply:os.system ['id']",
            _sound(chance) + b"{}",
            b" " * ((1 << 20) + 1),
        ]
    )


def name_of(number: int, chance: random.Random) -> str:
    """Return a name that ends in .json."""
    return chance.choice(_ODD_NAMES).format(number)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    """Bind a socket to the name. It goes by a short one, since the names of sockets are short."""
    with socket.socket(socket.AF_UNIX) as bound:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            bound.bind(f"/proc/self/fd/{folder}/s")
        finally:
            os.close(folder)
    (path.parent / "s").rename(path)


def a_link_outside(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


#: What is no regular file, to what makes it.
THINGS: tuple[Callable[[Path], None], ...] = (
    a_pipe,
    a_socket,
    a_link_outside,
    a_link_to_itself,
    a_link_to_nothing,
)


def drop(inbound: Path, number: int, chance: random.Random, *, dated: float) -> Iterator[Path]:
    """Drop so many files and things, of that age; yield where each lies."""
    for which in range(number):
        path = inbound / name_of(which, chance)
        if which % 20 == 0:
            THINGS[which // 20 % len(THINGS)](path)
        else:
            path.write_bytes(contents(chance))
            os.utime(path, (dated, dated))
        yield path
