"""Whether a bus runs on the folder, whether it is alive, and whether it answers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

from core.errors import Unsupported
from core.strict_json import BadJson, parse
from core.timing import format_duration
from doctor.findings import Flaw, Kind, Mark
from doctor.living import user_of
from doctor.patient import Patient, name_of

#: Seconds without a heartbeat that cannot be mere slowness: it is written once a second.
_STALE = 60.0
#: Seconds that an answer may take.
_PATIENCE = 5.0

_USER = Kind(
    code="bus_user",
    mark=Mark.PROBLEM,
    one="The bus runs as another user than the folder belongs to",
    why="What it writes belongs to one user and what it reads to another: one of them may not open it.",
    remedy="sudo chown -R {owner}: {folder}",
)
_SILENT = Kind(
    code="heartbeat_stale",
    mark=Mark.PROBLEM,
    one="The heartbeat of the running bus is old",
    why="Its power logic hangs or cannot write. The watchdog will switch the machine off.",
    remedy="journalctl -u aafai-bus -n 50; sudo systemctl restart aafai-bus",
)
_HEALTH = Kind(
    code="bus_unwell",
    mark=Mark.PROBLEM,
    one="The bus does not answer as it should",
    why="Clients cannot submit jobs, or cannot hear of them.",
    remedy="curl -i http://{address}/health; journalctl -u aafai-bus -n 50",
)
_WARNS = Kind(
    code="bus_warns",
    mark=Mark.WARNING,
    one="The bus warns of something at /health",
    many="The bus warns of {n} things at /health",
    why="It goes on working, but not as it should.",
)
_PORT = Kind(
    code="port_taken",
    mark=Mark.PROBLEM,
    one="Something else listens where the bus is to listen",
    why="The bus cannot start there.",
    remedy="ss -ltnp   shows who it is; stop it, or set AAFAI_PORT",
)
_ELSEWHERE = Kind(
    code="bus_elsewhere",
    mark=Mark.WARNING,
    one="A bus answers there, but works on another folder than this one",
    why="The jobs in this folder are run by nobody.",
    remedy="Compare QUEUE_BASE_PATH of the two: .venv/bin/python -m config",
)
_STOP = Kind(
    code="clean_stop_damaged",
    mark=Mark.NOTE,
    one="clean-stop.json cannot be read",
    why="It only tells when and why the bus last ended; the next start replaces it.",
    remedy="rm {folder}/clean-stop.json",
)


def check_process(patient: Patient) -> Iterator[Flaw | str]:
    """Yield which process has the folder open, and whether its heart beats."""
    if not patient.buses:
        yield "no bus runs on this folder"
    for pid in patient.buses:
        user = user_of(pid)
        yield f"runs as {name_of(user) if user is not None else 'somebody'} (process {pid})"
        base = patient.disk.status(patient.folder).st_uid
        if user is not None and user != base:
            yield Flaw(_USER, f"process {pid}", f"{name_of(user)}, and the folder is {name_of(base)}'s")
    beat = _heartbeat(patient)
    if patient.buses and beat is not None:
        silence = patient.clock.boottime() - beat
        yield f"last heartbeat {format_duration(max(silence, 0.0))} ago"
        if silence > _STALE:
            yield Flaw(_SILENT, str(patient.config.runtime_dir / "heartbeat"), format_duration(silence))


def check_last_stop(patient: Patient) -> Iterator[Flaw | str]:
    """Yield when the bus last ended as it should, or that it did not; nothing while it runs."""
    try:
        record = parse(patient.disk.read_file(str(patient.config.queue_base_path / "clean-stop.json")))
        if record.get("state") == "running":
            if not patient.buses:
                yield "the last bus ended without a word: it died, or its machine went off"
            return
        ago = patient.now - float(record["stopped_at"])
    except FileNotFoundError:
        return
    except (BadJson, Unsupported, AttributeError, KeyError, TypeError, ValueError):
        yield Flaw(_STOP)
        return
    yield f"last stopped cleanly {format_duration(max(ago, 0.0))} ago"


def check_answer(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether the bus answers at its address, or whether that is free for it."""
    address = patient.config.bind
    try:
        status, body = _asked(patient)
    except ConnectionRefusedError:
        if patient.buses:
            yield Flaw(_HEALTH, address, "Nobody listens there.")
        else:
            yield f"{address} is free for it"
        return
    except (OSError, http.client.HTTPException) as error:
        yield Flaw(_HEALTH if patient.buses else _PORT, address, str(error) or type(error).__name__)
        return
    yield from _judged(patient, address, status, body)


def _judged(patient: Patient, address: str, status: int, body: Any) -> Iterator[Flaw | str]:
    if not isinstance(body, dict) or "accepting" not in body:
        yield Flaw(_PORT, address, f"It answers /health with {status}, and not as a bus does.")
    elif not patient.buses:
        yield Flaw(_ELSEWHERE, address)
    elif status != 200:
        said = (body.get("database") or {}).get("problem") or "It does not accept jobs."
        yield Flaw(_HEALTH, address, str(said))
    else:
        yield f"http://{address} answers: {body.get('status')}, version {body.get('version')}"
        for warning in body.get("warnings") or []:
            yield Flaw(_WARNS, detail=str(warning))


def _asked(patient: Patient) -> tuple[int, Any]:
    """Return status and document that /health answers. Raises OSError, HTTPException."""
    config = patient.config
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104  Read, not bound.
    connection = http.client.HTTPConnection(host, config.port, timeout=_PATIENCE)
    try:
        token = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        connection.request("GET", "/health", headers=token)
        answer = connection.getresponse()
        text = answer.read(1 << 20)
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, None


def _heartbeat(patient: Patient) -> float | None:
    try:
        return float(patient.disk.read_file(str(patient.config.runtime_dir / "heartbeat")))
    except (OSError, Unsupported, ValueError):
        return None
