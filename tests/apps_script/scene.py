"""A spreadsheet, Google's Compute Engine, and the bus on its machine, all on the script's clock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from core.jobs import Query
from tests.api.doors import Door
from tests.api.stage import Stage, a_stage
from tests.apps_script.internet import Internet, by_flask, by_port
from tests.apps_script.script import Script
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_google import FakeGoogle

SETTINGS = {
    "AAFAI_PROJECT": PROJECT,
    "AAFAI_ZONE": ZONE,
    "AAFAI_INSTANCE": INSTANCE,
    "AAFAI_ACTION": "download_website",
}


class Scene:
    """The machine is off at first. Its bus runs nothing by itself: a test ends jobs."""

    def __init__(self, folder: Path) -> None:
        self.stage: Stage = a_stage(folder)
        self.downloads = folder / "downloads"
        self.door = Door(self.stage, folder / "tokens.json", {"downloads": self.downloads})
        self.token = self.door.token(name="sheet", scopes=("read", "submit"), signing=True)
        self.internet = Internet()
        self.google = FakeGoogle(on_start=self.start, on_stop=self.stop)
        self.settings = {**SETTINGS, "AAFAI_SIGNING_TOKEN": self.token}
        self._open = ExitStack()
        #: Whether the bus answers once the machine runs.
        self.bus_is_up = True

    def __enter__(self) -> Self:
        self._open.enter_context(self.google)
        self.google.compute.instance()["status"] = "TERMINATED"
        self.internet.places["compute.googleapis.com"] = self._google()
        self.internet.on_time = self._keep_time
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self.stage.kernel.pool.drain(0.0, grace=0.0)

    def script(self, rows: Sequence[Sequence[Any]], **more: Any) -> Script:
        """Open the spreadsheet, its rows selected but for the first."""
        settings = {name: value for name, value in self.settings.items() if value}
        script = self._open.enter_context(
            Script(self.internet, rows, settings, now=self.stage.clock.now(), **more)
        )
        script.select((2, len(rows)))
        return script

    def start(self, _: str = "") -> None:
        """Boot: its bus opens its door anew, wherever the machine's address leads to."""
        self.client = self.door.opened()

    def stop(self, _: str = "") -> None:
        """Nothing is left at the address."""

    def begin(self) -> None:
        """Have the machine running, as somebody else has started it."""
        self.google.compute.change("start")
        self.google.compute.settle()

    def end(self) -> None:
        """Have the machine switched off, as it does by itself."""
        self.google.compute.change("stop")
        self.google.compute.settle()

    def jobs(self) -> list[str]:
        """Return the ids of all jobs of the bus, oldest first."""
        return sorted(job.id for job in self.stage.engine.find(Query(limit=5000)).jobs)

    def params(self) -> list[Any]:
        """Return the params of all jobs, in their order."""
        return [dict(self.stage.engine.get(job_id).params) for job_id in self.jobs()]

    def folder_of(self, job_id: str) -> Path:
        """Return the folder of the files that a job has made."""
        folder = self.downloads / job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _google(self) -> Any:
        ask = by_port(urlsplit(self.google.url).port or 0)

        def answered(asked: Any) -> Any:
            answer = ask(asked)
            self.google.compute.settle()
            return answer

        return answered

    def _keep_time(self, now: float) -> None:
        """Let the bus live at the script's time, and be found where the machine is."""
        self.stage.clock.advance(max(0.0, now - self.stage.clock.now()))
        self.internet.places = {
            place: server for place, server in self.internet.places.items() if not place.endswith(":8000")
        }
        instance = self.google.compute.instance()
        if instance["status"] == "RUNNING" and self.bus_is_up:
            address = instance["networkInterfaces"][0]["accessConfigs"][0]["natIP"]
            self.internet.places[f"{address}:8000"] = by_flask(lambda: self.client)
