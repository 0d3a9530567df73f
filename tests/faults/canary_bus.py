"""A bus that is fed with canaries under a watch: `python -m tests.faults.canary_bus FOLDER NUMBER MUTANT`.

It prints as JSON what was answered and what the watch saw.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import random
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from flask.testing import FlaskClient

from app import create_app
from config import Config
from core.engine import Engine
from core.errors import BusError
from core.jobs import DEFAULT_QUEUE, Query
from core.registry import Registry
from core.strict_json import BadJson
from tests.faults.canaries import Watch, baits, odd_names

_FAR = 4e9
#: Where a careless reader would interpret what lies there; the names are those of the engine's own files.
_PLACES = (
    "inbound/{name}.json",
    "inbound/p5/{bucket}/{id}.json",
    "scheduled/{bucket}/{id}.json",
    "running/{id}.json",
    "running/{id}.cancel",
    "outbound/{bucket}/{id}.json",
    "outbound/{bucket}/{id}.result.json",
    "keys/{name}.json",
    "journal/{name}.journal",
    "logs/{bucket}/{id}.log",
    "tombstones/{bucket}.txt",
    "quarantine/{name}.json",
)


def main(folder: Path, number: int, mutant: str) -> dict[str, object]:
    """Feed the bus and return the figures."""
    app = create_app(Config.load(_settings(folder)))
    kernel = app.extensions["kernel"]
    watch = Watch(folder)
    MUTANTS[mutant]()
    client, engine = app.test_client(), kernel.bus.engine
    figures: Counter[str] = Counter()
    # The first round imports what is imported when it is needed; only then every import tells something.
    feed(client, engine, folder, ["unknown", "fake", "no name"], round_=0)
    watch.arm()
    figures = feed(client, engine, folder, odd_names(number, random.Random(number)), round_=1)
    figures["executed"] = watch.executed.total()
    figures["outside"] = watch.opened.total()
    figures["canaries"] = int((folder / "canary").exists())
    return {"figures": figures, "seen": dict((watch.executed + watch.opened).most_common(20))}


def feed(client: FlaskClient, engine: Engine, folder: Path, names: list[str], *, round_: int) -> Counter[str]:
    """Give the bus everything once and return the figures."""
    figures: Counter[str] = Counter()
    figures.update(submit_by_names(client, names, folder))
    figures.update(submit_baits(client, folder / "canary"))
    figures.update(lay_baits(engine, folder, round_))
    return figures


def submit_by_names(client: FlaskClient, names: list[str], folder: Path) -> Counter[str]:
    """Ask for actions by odd names, over HTTP and, one in ten, by dropped files."""
    for number, name in enumerate(names[::10]):
        path = folder / "queues" / "inbound" / f"named-{number}.json"
        path.write_text(json.dumps({"action": name}), errors="surrogatepass")
        os.utime(path, (1, 1))
    answers = [client.post("/inbound", json={"action": name, "params": {}}).status_code for name in names]
    return Counter(named=len(names), taken=sum(status < 400 for status in answers), failed=answers.count(500))


def submit_baits(client: FlaskClient, canary: Path) -> Counter[str]:
    """Send every bait as a body, as a parameter and as a header."""
    answers = []
    for kind in ("application/json", "application/x-yaml", "application/python-pickle"):
        answers += [client.post("/inbound", data=bait, content_type=kind) for bait in baits(canary).values()]
    for bait in baits(canary).values():
        text = bait.decode("latin-1")
        answers.append(client.post("/inbound", json={"action": "fakejob", "params": {"delay_seconds": text}}))
        answers.append(client.get("/outbound", query_string={"job_id": text}))
        answers.append(client.get("/health", headers={"X-Request-Id": text.splitlines()[0][:100]}))
    return Counter(baits=len(answers), failed=sum(answer.status_code == 500 for answer in answers))


def lay_baits(engine: Engine, folder: Path, round_: int) -> Counter[str]:
    """Lay every bait into every folder of the queue, and let the engine do all that it does."""
    queues, figures = folder / "queues", Counter[str]()
    for where, place in enumerate(_PLACES):
        for which, bait in enumerate(baits(folder / "canary").values()):
            bucket = f"0193{round_:04x}"
            job_id = f"{bucket}-{where:04x}-7{which:03x}-8000-000000000000"
            path = queues / place.format(name=f"bait-{round_}-{which}", bucket=bucket, id=job_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bait.replace(b"{id}", job_id.encode()))
            os.utime(path, (1, 1))
            figures["baits"] += 1
            for read in (engine.get, engine.logs):
                with suppress(BusError):
                    read(job_id)
    for step in (engine.abandoned, engine.upkeep, engine.purge):
        with suppress(BusError):
            step(_FAR)
    while engine.claim("w", now=_FAR, lease=30, queues=[DEFAULT_QUEUE]):
        figures["claimed"] += 1
    engine.find(Query(limit=1000))
    engine.count()
    return figures


def import_by_name() -> None:
    """Look actions up as some queues do: by importing what the request names."""
    resolve = Registry.resolve

    def resolve_anything(registry: Registry, name: str) -> object:
        with suppress(Exception):
            module, _, attribute = name.replace(":", ".").rpartition(".")
            getattr(importlib.import_module(module), attribute)
        return resolve(registry, name)

    Registry.resolve = resolve_anything  # type: ignore[assignment]


def unpickle() -> None:
    """Read records as some queues do: whatever they are."""
    record = importlib.import_module("queues.record")
    parse = record.parse

    def parse_anything(data: bytes) -> object:
        try:
            return parse(data)
        except BadJson:
            with suppress(Exception):
                pickle.loads(data)
            raise

    record.parse = parse_anything


def open_by_name() -> None:
    """Look actions up by their files."""
    resolve = Registry.resolve

    def resolve_files(registry: Registry, name: str) -> object:
        with suppress(OSError, ValueError):
            Path("actions", name).open().close()
        return resolve(registry, name)

    Registry.resolve = resolve_files  # type: ignore[assignment]


MUTANTS = {"": lambda: None, "imports": import_by_name, "unpickles": unpickle, "opens": open_by_name}


def _settings(folder: Path) -> dict[str, str]:
    return {
        "QUEUE_BASE_PATH": str(folder / "queues"),
        "DOWNLOAD_DIR": str(folder / "downloads"),
        "AAFAI_RUNTIME_DIR": str(folder / "run"),
        "AAFAI_POWER_SWITCH": "none",
        "AAFAI_MIN_FREE": "1 MiB",
        "AAFAI_LOG_LEVEL": "ERROR",
        "AAFAI_ALLOWED_HOSTS": "*",
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
