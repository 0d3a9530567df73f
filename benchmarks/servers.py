"""Private servers of a cell on loopback: Redis and Postgres, their files in the cell's folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.running import free_port

#: Options of Redis by the name of the setting.
_REDIS = {
    "redis": ("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
    "redis-debian": ("--save", "3600 1 300 100 60 10000", "--appendonly", "no"),
}
#: An account for Postgres, which refuses to run as root.
_ACCOUNTS = ("postgres", "nobody")
_PATIENCE = 20.0  # seconds for a server to start or to stop


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers; the empty one where none is needed."""

    #: Redis URL or Postgres connection string.
    address: str = ""
    pid: int = 0


def program(name: str) -> str:
    """Return the path of a server's program, for Postgres also off the PATH; empty without it."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(newest[0]) if newest else "")


def reason_against(kind: str) -> str:
    """Return why such a server cannot run here; empty if it can."""
    if kind.startswith("redis") and not program("redis-server"):
        return "redis-server is not installed (Debian package redis-server)"
    if kind == "postgres" and not program("postgres"):
        return "postgres is not installed (Debian package postgresql)"
    return ""


@contextmanager
def a_server(kind: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Run a server over the files in a folder, new or left by the one before; stop it at the end."""
    if not kind:
        yield Server()
    elif kind == "postgres":
        with _postgres(folder, environment) as server:
            yield server
    else:
        with _redis(_REDIS[kind], folder, environment) as server:
            yield server


@contextmanager
def flushing_later(kind: str, server: Server) -> Iterator[None]:
    """Let Redis acknowledge what is not on the disk, while jobs are laid in that nobody measures."""
    if kind == "redis":
        _say(server, "CONFIG SET appendfsync no")
    yield
    if kind == "redis":
        _say(server, "CONFIG SET appendfsync always")


@contextmanager
def _redis(options: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *options),
        # Rewriting its log would fall on whichever figure is being taken.
        *("--auto-aof-rewrite-percentage", "0", "--loglevel", "warning", "--daemonize", "no"),
    ]
    with _running(command, environment) as process:
        server = Server(f"redis://127.0.0.1:{port}/0", process.pid)
        _wait_for(process, lambda: _answers(server))
        yield server


@contextmanager
def _postgres(folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    account = _account()
    cluster = folder / "postgres"
    if not cluster.exists():
        _make_cluster(cluster, account)
    command = [
        *(program("postgres"), "-D", str(cluster), "-p", str(port)),
        *("-h", "127.0.0.1", "-k", "", "-c", "log_min_messages=fatal"),
    ]
    with _running(command, environment, account=account) as process:
        _wait_for(process, lambda: _is_ready(cluster / "postmaster.pid", process.pid))
        yield Server(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", process.pid)


def _make_cluster(cluster: Path, account: str | None) -> None:
    cluster.mkdir(parents=True, mode=0o700)
    if account:
        shutil.chown(cluster, account)
    command = [
        *(program("initdb"), "-D", str(cluster), "-U", "postgres", "--auth=trust"),
        *("--no-locale", "--encoding=UTF8", "--no-instructions"),
    ]
    subprocess.run(command, check=True, user=account, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], *, account: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, user=account, cwd="/", stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Return once the server is ready. Raises RuntimeError when it is not in time."""
    late = time.monotonic() + _PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > late:
            raise RuntimeError(f"the server did not start: exit status {process.poll()}")
        time.sleep(0.002)


def _answers(server: Server) -> bool:
    try:
        return _say(server, "PING").startswith(b"+PONG")
    except ConnectionError:
        return False


def _say(server: Server, command: str) -> bytes:
    """Send one line to a Redis and return what it answers first."""
    port = int(server.address.rpartition(":")[2].removesuffix("/0"))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(1024)


def _is_ready(file: Path, pid: int) -> bool:
    """Whether this postmaster, and not one before it, has written that it takes connections."""
    try:
        words = file.read_text().split()
    except FileNotFoundError:
        return False
    return words[:1] == [str(pid)] and words[-1] == "ready"


def _account() -> str | None:
    """Return whom Postgres runs as; None for the user who is no root himself."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _ACCOUNTS if name in known)
