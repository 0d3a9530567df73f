"""The script of a Google Sheet, run in Node by the host beside it, a run at a time."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.conftest import needed

Json = Any
ROOT = Path(__file__).resolve().parents[2]
PARTS = sorted((ROOT / "examples" / "google_apps_script").glob("*.gs"))

_HOST = Path(__file__).parent / "host" / "host.mjs"


class Script:
    """A spreadsheet with the script in it. `world` answers its requests, each made at a moment."""

    def __init__(
        self,
        world: Callable[[dict[str, Any], float], Json],
        rows: Sequence[Sequence[Json]],
        settings: Mapping[str, str],
        *,
        files: Sequence[Path] = PARTS,
        now: float | None = None,
    ) -> None:
        sheets = [{"name": "Pages", "rows": [list(row) for row in rows]}]
        clock = {"now": (now or 0) * 1000, "isReal": now is None}
        options = {"settings": dict(settings), "sheets": sheets, **clock}
        self._world = world
        #: What is done while the script waits for its next answers, one each, before they come.
        self.meanwhile: list[Callable[[], object]] = []
        #: What is done in a run with `pausesAt`, before that call of a service.
        self.on_pause: Callable[[], object] = lambda: None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  It is closed when the script is.
        command = [needed("node", "nodejs"), str(_HOST), json.dumps(options), *map(str, files)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def run(self, name: str, *given: Json, **more: Json) -> Json:
        """Have a person run a function; return how it went: value, error, seconds, calls, fetches."""
        return self._told({"run": name, "given": given, **more})

    def fire(self, **more: Json) -> Json:
        """Have the trigger fire now."""
        return self._told({"fire": "pollJobs", **more})

    def wait(self, minutes: float) -> list[Json]:
        """Let time pass; return the runs of triggers in it."""
        return list(self._told({"pass": minutes}))

    def evaluate(self, expression: str) -> Json:
        """Return what an expression comes to in the script."""
        return self._told({"evaluate": expression})

    def select(self, *rows: tuple[int, int]) -> None:
        """Select rows from one to another."""
        self._told({"select": "Pages", "rows": rows})

    def edit(self, what: str, **how: Json) -> None:
        """Change the sheet by hand, or a setting."""
        self._told({"edit": what, **how})

    def state(self) -> Json:
        """Return all that the host knows: sheets, triggers, what was shown, what was used of the quotas."""
        return self._told({"look": True})

    def rows(self) -> list[dict[str, Json]]:
        """Return the rows by the names of their columns."""
        names, *rows = self.rows_of("Pages")
        return [dict(zip(names, [*row, *[""] * len(names)], strict=False)) for row in rows]

    def rows_of(self, sheet: str) -> list[list[Json]]:
        """Return the cells of a sheet as everybody sees them."""
        return list(self.state()["sheets"][sheet]["rows"])

    def column(self, name: str) -> list[Json]:
        """Return what the rows hold in a column."""
        return [row[name] for row in self.rows()]

    def toasts(self) -> list[str]:
        """Return what was told in toasts."""
        return [one["message"] for one in self.state()["shown"]["toasts"]]

    def triggers(self) -> list[int]:
        """Return how often the triggers fire, in minutes."""
        return [one["minutes"] for one in self.state()["triggers"]]

    def _told(self, message: dict[str, Any]) -> Json:
        self._send(message)
        while True:
            heard = self._heard()
            if "done" in heard:
                return heard["done"]
            if "paused" in heard:
                self.on_pause()
                self._send({"answer": {}})
                continue
            if self.meanwhile:
                self.meanwhile.pop(0)()
            self._send({"answer": self._world(heard["fetch"], heard["now"] / 1000)})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _heard(self) -> Json:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"The host has ended: {self._errors.read().decode()}")
        return json.loads(line)
