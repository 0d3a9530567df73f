"""A reader who follows a document to the letter: types its commands, runs its code, compares what it shows.

| block | what the reader does |
|---|---|
| `python` | runs it; the blocks of a document share their names |
| `bash` | types its commands, each must succeed; a comment that opens with a brace is the answer to expect |
| `json` | parses it |
| `sh` | checks that a shell could read it: for commands that belong to another machine |

In an answer `…` stands for anything, in a command `01935…` for the job of which an answer spoke last. An
empty line ends an answer. A comment `<!-- skip: next -->` before a block leaves it out. A document whose
commands name localhost:8000 gets a bus of its own in that place, whose files are in `var/`, as after
`make serve`. Its jobs for a browser stay in the queue, so that no example is fetched from anywhere.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.house.sources import ROOT

_JOB_ID = re.compile(r'"job_id": ?"([^"]+)"')
_ADDRESS = re.compile(r"\b(localhost|127\.0\.0\.1):8000\b")


def follow(document: Path, folder: Path) -> int:
    """Follow a document in an empty folder, raise where it is wrong; return how many blocks it has."""
    text = document.read_text(encoding="utf-8")
    needs_bus = "```bash" in text and _ADDRESS.search(text)
    with _a_bus(folder) if needs_bus else nullcontext("localhost:8000") as address:
        copy = folder / document.name
        copy.write_text(_ADDRESS.sub(address, text), encoding="utf-8")
        parsers = [
            PythonCodeBlockParser(),
            CodeBlockParser("bash", _Shell(folder).type),
            CodeBlockParser("json", _parse_json),
            CodeBlockParser("sh", _read_shell),
            SkipParser(),
        ]
        examples = list(Sybil(parsers, path=str(folder)).parse(copy).examples())
        for example in examples:
            example.evaluate()
    return len(examples)


class _Shell:
    """A terminal whose exported variables last from block to block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._variables = folder / ".variables"
        self._variables.touch()
        self._job_id = ""

    def type(self, example: Example) -> str | None:
        """Type a block's commands; return what is wrong with their answers, or None."""
        for command, expected in _exchanges(example.parsed):
            answer, status = self._run(command.replace("01935…", self._job_id))
            if status != 0 or not _agrees(answer, expected):
                return f"{command}\nanswered (exit status {status})\n{answer}\nand not\n{expected}"
            self._job_id = (re.findall(_JOB_ID, answer) or [self._job_id])[-1]
        return None

    def _run(self, command: str) -> tuple[str, int]:
        # What curl calls a success includes an error from the bus, unless it is told otherwise.
        curl = 'curl() { command curl --fail-with-body "$@"; }'
        script = f"set -ae; {curl}; . {self._variables}; {command}\nexport -p >{self._variables}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return ran.stdout, ran.returncode


def _exchanges(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a block with the answer that the comments below it promise, `…` for none."""
    for command, comments in re.findall(r"((?:(?!# [{\[]).*\n)+)((?:# [{\[].*\n(?:# .*\n)*)?)", f"{block}\n"):
        yield command, re.sub(r"(?m)^# ", "", comments) or "…"


def _agrees(printed: str, expected: str) -> bool:
    """Compare the end, without white space: a document may lay out a long line as it reads best."""
    pattern = ".*".join(re.escape(_dense(part)) for part in re.split("01935…|…", expected))
    return re.fullmatch(f".*{pattern}", _dense(printed), re.DOTALL) is not None


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _parse_json(example: Example) -> None:
    json.loads(example.parsed)


def _read_shell(example: Example) -> str | None:
    read = subprocess.run(["bash", "-n", "-c", example.parsed], capture_output=True, text=True, check=False)
    return read.stderr or None


@contextmanager
def _a_bus(folder: Path) -> Iterator[str]:
    """Run the bus on a loopback port until the document is read.

    The socket is open before the bus starts, so that a first request waits in it and nobody has to ask
    whether the bus is there yet; when the bus fails to start, the request is refused.
    """
    var = folder / "var"
    settings = {
        "QUEUE_BASE_PATH": str(var / "queues"),
        "DOWNLOAD_DIR": str(var / "downloads"),
        "AAFAI_SLOTS": "default=3,browser=0",
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        bus = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"fd://{descriptor}"],
            cwd=ROOT,
            env={**os.environ, **settings},
            pass_fds=[descriptor],
        )
        port = listener.getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        bus.terminate()
        bus.wait(timeout=40)
