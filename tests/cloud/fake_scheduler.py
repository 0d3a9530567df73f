"""Cloud Scheduler: jobs that start machines of the fake Compute Engine, as its REST interface has them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cronsim import CronSim

from tests.cloud.fake_compute import Act, FakeCompute, Json
from tests.cloud.refused import Refused

_ROUTE = re.compile(
    r"/v1/(?P<parent>projects/[^/]+/locations/[^/]+)/jobs(?:/(?P<id>[^/:]+)(?::(?P<verb>\w+))?)?"
)
_PERMISSIONS = {"patch": "update", "resume": "enable"}


class FakeScheduler:
    """Its jobs by name. `ring` is how time passes."""

    def __init__(self, compute: FakeCompute) -> None:
        self._compute = compute
        self.jobs: dict[str, Json] = {}

    def job(self, name: str, *, location: str = "europe-west1") -> Json:
        """Return a job, to be changed at will."""
        return self.jobs[f"projects/quiet-project/locations/{location}/jobs/{name}"]

    def route(self, method: str, path: str) -> tuple[str, Act]:
        """Return the permission that a request takes, and what it does. Raises Refused."""
        found = _ROUTE.fullmatch(path)
        if found is None:
            raise Refused(404, "NOT_FOUND", f"The requested URL {path} was not found on this server.")
        name = f"{found['parent']}/jobs/{found['id']}"
        acts: dict[tuple[str, bool, str | None], tuple[str, Act]] = {
            ("POST", False, None): ("create", lambda _, body: self._create(body)),
            ("GET", True, None): ("get", lambda _, __: self._get(name)),
            ("PATCH", True, None): ("update", lambda query, body: self._patch(name, query, body)),
            ("POST", True, "pause"): ("pause", lambda _, __: self._move(name, "ENABLED", "PAUSED")),
            ("POST", True, "resume"): ("enable", lambda _, __: self._move(name, "PAUSED", "ENABLED")),
        }
        key = (method, found["id"] is not None, found["verb"])
        if key not in acts:
            raise Refused(404, "NOT_FOUND", f"The requested URL {path} was not found on this server.")
        word, act = acts[key]
        return f"cloudscheduler.jobs.{word}", act

    def next_ring(self, name: str, now: float) -> float | None:
        """Return when a job rings next, in Unix seconds; None while it is paused."""
        job = self.job(name)
        if job["state"] != "ENABLED":
            return None
        return next(CronSim(job["schedule"], datetime.fromtimestamp(now, UTC))).timestamp()

    def ring(self, name: str) -> None:
        """Let a job do what it does at its time; how that went stands in the job."""
        job = self.job(name)
        path = urlsplit(job["httpTarget"]["uri"]).path
        try:
            _, act = self._compute.route(job["httpTarget"]["httpMethod"], path)
            act({}, None)
            job["status"] = {}
        except Refused as refused:
            job["status"] = {"code": {403: 7, 404: 5}.get(refused.status, 2), "message": refused.message}

    def _get(self, name: str) -> Json:
        if name not in self.jobs:
            raise Refused(404, "NOT_FOUND", "Job not found.")
        return self.jobs[name]

    def _create(self, body: Json) -> Json:
        if body["name"] in self.jobs:
            raise Refused(409, "ALREADY_EXISTS", f"Job {body['name']} already exists.")
        _must_be_cron(body["schedule"])
        self.jobs[body["name"]] = {
            "attemptDeadline": "180s",
            "timeZone": "Etc/UTC",
            **body,
            "state": "ENABLED",
            "userUpdateTime": "2026-11-22T12:00:00Z",
        }
        return self.jobs[body["name"]]

    def _patch(self, name: str, query: dict[str, str], body: Json) -> Json:
        job = self._get(name)
        for named in query["updateMask"].split(","):
            field = re.sub(r"_(\w)", lambda found: found[1].upper(), named)
            if field == "schedule":
                _must_be_cron(body[field])
            job[field] = body[field]
        return job

    def _move(self, name: str, expected: str, then: str) -> Json:
        job = self._get(name)
        if job["state"] != expected:
            raise Refused(400, "FAILED_PRECONDITION", f"Job must be {expected}.")
        job["state"] = then
        return job


def _must_be_cron(schedule: Any) -> None:
    try:
        CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except Exception as error:
        raise Refused(400, "INVALID_ARGUMENT", f"Schedule or time zone is invalid. {error}") from None
