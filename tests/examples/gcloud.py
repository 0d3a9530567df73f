"""A program `gcloud` on PATH that tells a test what it was called with, and answers as the test has it."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

#: A shell is there in a tenth of the time that Python takes. It hands over its arguments, each with a nought
#: byte behind it, and what it is given to read; what it is to do comes back as a script.
_PROGRAM = """#!/bin/sh
eval "$({{
    printf '%s\\0' "$@"
    for word; do case $word in -|--data-file=-) printf '\\0'; cat ;; esac; done
}} | curl --silent --show-error --fail --data-binary @- {url})"
"""


@dataclass(frozen=True)
class Said:
    """What the program prints, and how it ends."""

    out: str = ""
    err: str = ""
    status: int = 0


@dataclass(frozen=True)
class Call:
    """What the program was called with."""

    argv: list[str]
    stdin: str = ""

    @property
    def words(self) -> list[str]:
        """The command and its arguments, without options."""
        return [word for word in self.argv if not word.startswith("--")]

    def option(self, name: str) -> str:
        """Return the value of an option; empty without it."""
        found = [word for word in self.argv if word.startswith(f"--{name}=")]
        return found[-1].partition("=")[2] if found else ""


class Gcloud:
    """The program, in a folder that comes first on the PATH of `environment`."""

    def __init__(self, folder: Path, answer: Callable[[Call], Said]) -> None:
        self.calls: list[Call] = []
        self._answer = answer
        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._visit())

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        program = self._folder / "gcloud"
        url = f"http://127.0.0.1:{self._server.server_port}/"
        program.write_text(_PROGRAM.format(url=url))
        program.chmod(0o755)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process, with that program on its PATH."""
        return {**os.environ, "PATH": f"{self._folder}:{os.environ['PATH']}"}

    def _visit(self) -> type[BaseHTTPRequestHandler]:
        gcloud = self

        class Visit(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = self.rfile.read(int(self.headers["Content-Length"])).decode()
                words, _, stdin = told.partition("\0\0")
                call = Call(words.removesuffix("\0").split("\0"), stdin)
                gcloud.calls.append(call)
                content = _script(gcloud._answer(call)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Visit


def _script(said: Said) -> str:
    """Return what the program does, for a shell."""
    out, err = shlex.quote(said.out), shlex.quote(said.err)
    return f"printf %s {out}; printf %s {err} >&2; exit {said.status}\n"
