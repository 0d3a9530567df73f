"""A machine of the fake Google's that boots a real bus on a port of its own choosing, as gcloud shows it."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Self

from examples.running import GUNICORN, ROOT, free_port, wait_until_accepting
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_google import FakeGoogle
from tests.cloud.refused import Refused
from tests.examples.gcloud import Call, Said

#: What AAFAI_CLIENT_INSTANCE calls it.
NAME = f"{PROJECT}/{ZONE}/{INSTANCE}"


class Machine:
    """Off at first. `out_of_stock` is how often Google will have no room for it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.google = FakeGoogle(on_start=self._boot, on_stop=self._power_off)
        self.port = free_port()
        self.out_of_stock = 0
        self.boots = 0
        self.is_off = threading.Event()
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.google.__enter__()
        self.google.compute.instance()["status"] = "TERMINATED"
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.google.__exit__()

    def kill(self) -> None:
        """End the bus without a word, as when power is cut; the machine is off then."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        for child in children:
            os.kill(int(child), 9)
        self._process.wait()
        self.google.compute.instance()["status"] = "TERMINATED"

    def gcloud(self, call: Call) -> Said:
        """Answer `gcloud compute instances …` as the real one does."""
        verb, name = call.words[2], call.words[3]
        zone = call.option("zone")
        instance = self.google.compute.resources.get(f"zones/{zone}/instances/{name}")
        if call.words[:2] != ["compute", "instances"] or call.option("project") != PROJECT or not instance:
            told = f"The resource 'projects/{PROJECT}/zones/{zone}/instances/{name}' was not found"
            return _failed(verb, f"Could not fetch resource:\n - {told}")
        if verb == "describe":
            address = "127.0.0.1" if "natIP" in instance["networkInterfaces"][0]["accessConfigs"][0] else ""
            return Said(f"{instance['status']} {address}\n")
        try:
            self.google.compute.change(verb, f"zones/{zone}/instances/{name}")
        except Refused as refused:
            return _failed(verb, f"HTTPError {refused.status}: {refused.message}")
        self.google.compute.settle()
        if instance["status"] not in {"RUNNING", "SUSPENDED", "TERMINATED"}:
            return _failed(verb, "It is still at it.")
        if verb in {"start", "resume"} and instance["status"] != "RUNNING":
            told = f"The zone 'projects/{PROJECT}/zones/{zone}' does not have enough resources available"
            return _failed(verb, f"Could not fetch resource:\n - {told} to fulfill the request.")
        return Said(err=f"Updated [https://compute.googleapis.com/…/instances/{name}].\n")

    def _boot(self, _: str) -> None:
        if self.out_of_stock:
            self.out_of_stock -= 1
            raise Refused(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone has not enough resources.")
        self.boots += 1
        self.is_off.clear()
        settings = {
            "QUEUE_BASE_PATH": str(self._folder / "queues"),
            "DOWNLOAD_DIR": str(self._folder / "downloads"),
            "AAFAI_PORT": str(self.port),
            "AAFAI_GOOGLE_URL": self.google.url,
            **self._settings,
        }
        self._process = subprocess.Popen(GUNICORN, cwd=ROOT, env={**os.environ, **settings})
        wait_until_accepting(f"http://127.0.0.1:{self.port}", self._process)

    def _power_off(self, _: str) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(40)
        self.is_off.set()


def _failed(verb: str, told: str) -> Said:
    return Said(err=f"ERROR: (gcloud.compute.instances.{verb}) {told}\n", status=1)
