"""A program `gcloud` on PATH that tells a test what it was called with, and answers as the test has it."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

_PROGRAM = """#!{python} -I
import json, sys, urllib.request
told = {{"argv": sys.argv[1:], "stdin": sys.stdin.read() if {{"-", "--data-file=-"}} & set(sys.argv) else ""}}
with urllib.request.urlopen("{url}", json.dumps(told).encode()) as answer:
    said = json.load(answer)
sys.stdout.write(said["out"])
sys.stderr.write(said["err"])
sys.exit(said["status"])
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
        program.write_text(_PROGRAM.format(python=sys.executable, url=url))
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
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                call = Call(told["argv"], told["stdin"])
                gcloud.calls.append(call)
                said = gcloud._answer(call)
                content = json.dumps({"out": said.out, "err": said.err, "status": said.status}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Visit
