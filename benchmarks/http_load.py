"""Keep-alive clients that ask a server as fast as it answers: wrk where it is installed, else Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: What wrk runs; it says at the end what the Python client says.
_SCRIPT = """
wrk.method = "{method}"
wrk.body = {body}
{headers}
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{{"answers": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}}\\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What every client of a run asks, again and again."""

    url: str
    #: JSON for a POST; none for a GET.
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """How a run went: answers a second, and how long an answer took in milliseconds."""

    rate: float
    p50: float
    p99: float


def load(request: Request, *, clients: int, seconds: float, folder: Path) -> Load:
    """Ask from so many connections for a while. Raises RuntimeError when an answer is an error."""
    command = (
        _wrk(request, clients, seconds, folder) if shutil.which("wrk") else _python(request, clients, seconds)
    )
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{command[0]}: {ran.stderr.strip()}")
    told = json.loads(ran.stdout.splitlines()[-1])
    if told["failed"] or not told["answers"]:
        raise RuntimeError(f"{request.url}: {told['answers']} answers, {told['failed']} of them errors")
    return Load(told["answers"] / told["seconds"], told["p50"], told["p99"])


def _wrk(request: Request, clients: int, seconds: float, folder: Path) -> list[str]:
    headers = {"Content-Type": "application/json", **request.headers} if request.body else request.headers
    script = folder / "wrk.lua"
    script.write_text(
        _SCRIPT.format(
            method="POST" if request.body else "GET",
            body=json.dumps(request.body) if request.body else "nil",
            headers="\n".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()),
        )
    )
    # wrk knows whole seconds only.
    options = [f"-t1 -c{clients} -d{max(1, round(seconds))}s".split(), ["-s", str(script)]]
    return ["wrk", *options[0], *options[1], request.url]


def _python(request: Request, clients: int, seconds: float) -> list[str]:
    order = {"url": request.url, "body": request.body, "headers": dict(request.headers)}
    return [
        *(sys.executable, "-m", "benchmarks.http_client"),
        json.dumps({**order, "clients": clients, "seconds": seconds}),
    ]
