"""The doors between the rooms: who may import whom, and where each third-party package is at home.

The table is the one of docs/architecture.md. What it does not allow fails here, with file, line and remedy.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.house.sources import ROOT, Source, sources_of_product

#: Room → the rooms it may import, beside itself.
DOORS = {
    "core": set(),
    # Only for words, durations and errors, which are the same everywhere.
    "config": {"core"},
    "queues": {"core"},
    "cloud": {"core"},
    "api": {"core"},
    # Each declares what the RescueBox dialect offers; the work is done by actions.
    "services": {"api"},
    "web": {"core", "api"},
    "actions": {"core"},
    # It examines what all of these keep; of the actions only which browser they look for.
    "doctor": {"config", "core", "queues", "cloud", "actions"},
    "client": {"core", "cloud", "doctor"},
    "wiring": {"config", "core", "queues", "cloud", "wiring_books", "wiring_mirror", "wiring_power"},
    "wiring_books": {"config", "core", "cloud"},
    "wiring_mirror": {"config", "core", "cloud"},
    "wiring_power": {"config", "core", "cloud"},
    "app": {"wiring", "api", "web", "config", "core"},
    "gunicorn.conf": {"wiring", "config", "app", "core"},
}
#: Room or file → the third-party packages at home there; a file's own list adds to that of its room.
HOMES = {
    "core/signature.py": {"pydantic"},
    "core/pool.py": {"apscheduler"},
    "core/strict_yaml.py": {"yaml"},
    "core/cron.py": {"cronsim"},
    "core/exposition.py": {"prometheus_client"},
    "core/logger.py": {"pythonjsonlogger"},
    "queues": {"rq", "redis", "celery", "psycopg", "psycopg_pool"},
    "api": {"flask", "flask_openapi", "pydantic", "werkzeug"},
    "api/gunicorn_worker.py": {"gunicorn"},
    "api/gunicorn_connection.py": {"gunicorn"},
    "web": {"flask"},
    "app": {"flask", "flask_openapi"},
    "client": {"click"},
    "client/google_login.py": {"google"},
    "client/google_compute.py": {"google"},
}
#: The exceptions, each a file and the one room more that it may enter.
EXCEPTIONS = {("core/worker.py", "wiring")}


def offences(source: Source) -> Iterator[str]:
    """Yield one sentence for each import that no door allows."""
    room = source.path.split("/")[0].removesuffix(".py")
    at_home = HOMES.get(room, set()) | HOMES.get(source.path, set())
    for line, name in imports(source.tree):
        where = f"{source.path}:{line} imports {name}"
        if name == room or name in sys.stdlib_module_names or (source.path, name) in EXCEPTIONS:
            continue
        if name in DOORS:
            if name not in DOORS[room]:
                allowed = ", ".join(sorted(DOORS[room])) or "no other room"
                yield f"{where}: {room} may import {allowed}. Pass in what it needs from wiring.py."
        elif name not in at_home and room != "actions":
            yield f"{where}: it is not at home there. Move the code to its home in HOMES, or change that."


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and top-level name of every import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").split(".")[0]


def test_every_import_goes_through_an_allowed_door() -> None:
    found = [offence for source in sources_of_product() for offence in offences(source)]

    assert not found, "\n".join(found)


def test_every_room_has_its_doors() -> None:
    rooms = {source.path.split("/")[0].removesuffix(".py") for source in sources_of_product()}

    assert rooms <= DOORS.keys()


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("core/pool.py", "import os\nimport flask\n", "core/pool.py:2 imports flask: it is not at home"),
        ("core/jobs.py", "import pydantic.fields\n", "core/jobs.py:1 imports pydantic: it is not at home"),
        ("cloud/power.py", "from google.cloud import run\n", "cloud/power.py:1 imports google: it is not"),
        ("core/bus.py", "from queues import file\n", "core/bus.py:1 imports queues: core may import no"),
        ("core/bus.py", "def late():\n    import wiring\n", "core/bus.py:2 imports wiring: core may"),
        ("api/aafai.py", "from queues import file\n", "api/aafai.py:1 imports queues: api may import core."),
    ],
)
def test_an_import_through_the_wall_is_named_with_its_remedy(path: str, text: str, named: str) -> None:
    (offence,) = offences(Source(path, text))

    assert offence.startswith(named)
    assert offence.endswith(("from wiring.py.", "or change that."))


def test_only_the_worker_enters_the_wiring_from_core() -> None:
    assert not list(offences(Source("core/worker.py", "import wiring\n")))


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        ("wiring", ["flask", "google.cloud", "selenium", "celery", "psycopg"]),
        ("core", ["core.worker", "wiring", "flask"]),
        ("client.__main__", ["google", "requests", "flask", "pydantic"]),
        ("client.opening", ["google", "requests", "flask"]),
        ("cloud.watchdog", ["core", "requests", "pydantic"]),
    ],
)
def test_importing_a_module_leaves_what_it_must_not_cost_unloaded(module: str, kept_out: list[str]) -> None:
    program = f"import {module}, sys; print(*sorted(set({kept_out!r}) & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ran.stdout.strip(), ran.stderr) == ("", "")
