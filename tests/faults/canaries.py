"""Things that run a command if anybody is so careless as to interpret them, and a watch for who does."""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

#: What a process does that turns data into code, or starts something.
_EXECUTION = frozenset(
    {
        "exec",
        "compile",
        "import",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "subprocess.Popen",
        "pickle.find_class",
        "marshal.loads",
        "ctypes.dlopen",
        "socket.connect",
    }
)
_CELERY = "application/x-python-serialize"
_OPENING = frozenset({"open", "os.listdir", "os.scandir", "os.truncate", "shutil.rmtree"})


class Bait:
    """When it is unpickled, a file appears."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


def baits(canary: Path) -> dict[str, bytes]:
    """Return texts that leave the canary file when they are interpreted, by what would interpret them."""
    touch = f"touch {canary}"
    job = {"id": "{id}", "action": "fakejob"}
    return {
        "pickle": pickle.dumps(Bait(canary)),
        "old pickle": pickle.dumps(Bait(canary), protocol=0),
        "yaml": f"!!python/object/apply:os.system ['{touch}']\n".encode(),
        "yaml in a job": f"action: !!python/object/apply:os.system ['{touch}']\nparams: {{}}\n".encode(),
        "python": f"import os\nos.system({touch!r})\n".encode(),
        "expression": f"__import__('os').system({touch!r})".encode(),
        "jsonpickle": json.dumps(
            job | {"params": {"py/reduce": [{"py/function": "os.system"}, [touch]]}}
        ).encode(),
        "type in a job": json.dumps(job | {"__class__": "os.system", "__reduce__": [touch]}).encode(),
        "template": json.dumps(job | {"params": {"delay_seconds": "{{ cycler.__init__ }}"}}).encode(),
        "celery": json.dumps({"task": "os.system", "args": [touch], "content-type": _CELERY}).encode(),
    }


#: What people who mean harm, or programs that mean well, would call an action.
_NAMES = (
    "os.system",
    "os:system",
    "subprocess.Popen",
    "builtins.eval",
    "posix.system",
    "actions.fakejob",
    "actions.fakejob:run",
    "core.bus",
    "ftplib:FTP",
    "wsgiref.simple_server.demo_app",
    "fakejob.run",
    "fakejob.py",
    "../actions/fakejob",
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "__import__('os').system('id')",
    "__init__",
    "__class__.__mro__",
    "_fetch",
    "fakejob\x00",
    "fakejob\n",
    "\N{LATIN SMALL LIGATURE FF}akejob",
    "f\N{CYRILLIC SMALL LETTER A}kejob",
    "FakeJob",
    "pickle",
    "antigravity",
    "this",
    "..",
    "",
    "${jndi:ldap://127.0.0.1/a}",
    "fakejob; id",
    "$(id)",
    "%2e%2e%2fetc%2fpasswd",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_.:/\\-%${}()'\"; \x00\n\tABCäß中\u202e\ud800"[:-1]


def odd_names(number: int, chance: random.Random) -> list[str]:
    """Return so many names of no action: known tricks, tricks put together, and chance."""
    made = list(_NAMES)
    while len(made) < number:
        parts = [chance.choice(_NAMES), "".join(chance.choices(_LETTERS, k=chance.randint(1, 70)))]
        chance.shuffle(parts)
        made.append("".join(parts[: chance.randint(1, 2)]))
    return [name for name in made if name != "fakejob"][:number]


class Watch:
    """Count what this process opens outside of some folders, and what it executes. It cannot be taken off."""

    def __init__(self, *folders: Path) -> None:
        self._folders = tuple(os.path.realpath(folder) for folder in folders)
        self._armed = False
        #: What was executed or opened, to how often.
        self.executed: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        sys.addaudithook(self._hear)

    def arm(self) -> None:
        """Watch from now on."""
        self._armed = True

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        if event in _EXECUTION:
            self.executed[f"{event} {arguments[:1]!r:.80}"] += 1
        elif event in _OPENING and self._is_outside(arguments[0]):
            self.opened[f"{event} {arguments[0]!r:.80}"] += 1

    def _is_outside(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor, which was opened before
        real = os.path.realpath(os.fsdecode(path))
        return not any(real == folder or real.startswith(f"{folder}/") for folder in self._folders)
