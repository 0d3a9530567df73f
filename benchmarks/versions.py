"""Which versions were measured: the bus, the peers, their servers, and what lies below them."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import subprocess

from benchmarks.cells import PEERS_BIN
from benchmarks.contenders import PEERS
from benchmarks.servers import program
from core.kernel import VERSION

_ASK = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
_NUMBER = re.compile(r"\d+(\.\d+)+")


def versions() -> dict[str, str]:
    """Return the versions by name; what is not installed is left out."""
    return {
        "aafai-bus": VERSION,
        **_of_peers(),
        **_of_servers(),
        "SQLite": sqlite3.sqlite_version,
        "Python": platform.python_version(),
    }


def _of_peers() -> dict[str, str]:
    python = PEERS_BIN / "python"
    if not python.exists():
        return {}
    names = sorted({peer.distribution for peer in PEERS})
    said = subprocess.run([python, "-c", _ASK, *names], check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = json.loads(said)
    return found


def _of_servers() -> dict[str, str]:
    found = {}
    for name, command in (("Redis", "redis-server"), ("Postgres", "postgres")):
        if path := program(command):
            said = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
            if number := _NUMBER.search(said):
                found[name] = number.group()
    return found
