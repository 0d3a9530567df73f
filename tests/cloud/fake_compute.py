"""Compute Engine: machines, instance schedules, operations of one project, as its REST interface has them."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.cloud.refused import Refused

PROJECT, REGION, ZONE, INSTANCE = "quiet-project", "europe-west1", "europe-west1-b", "bus"
BASE = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
Json = dict[str, Any]
Act = Callable[[dict[str, str], Any], Json]

_ROUTE = re.compile(
    r"/compute/v1/projects/[^/]+/(?P<place>(?:zones|regions)/[^/]+)"
    r"/(?P<kind>instances|resourcePolicies|operations)(?:/(?P<name>[^/]+))?(?:/(?P<verb>[^/]+))?"
)
#: What a machine must be, what it is meanwhile, and what it is in the end.
_CHANGES = {
    "start": ({"TERMINATED"}, "STAGING", "RUNNING"),
    "resume": ({"SUSPENDED"}, "STAGING", "RUNNING"),
    "stop": ({"RUNNING", "SUSPENDED", "STOPPING"}, "STOPPING", "TERMINATED"),
    "suspend": ({"RUNNING"}, "SUSPENDING", "SUSPENDED"),
}


class FakeCompute:
    """One machine at first. What is asked becomes an operation, which a thread carries out."""

    def __init__(self, on_start: Callable[[str], None], on_stop: Callable[[str], None]) -> None:
        self._hooks = {"start": on_start, "resume": on_start, "stop": on_stop, "suspend": on_stop}
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._by_request: dict[str, Json] = {}
        self._working: list[threading.Thread] = []
        self.resources: dict[str, Json] = {}
        #: The address of the n-th thing that happens: where a test serves, if it serves.
        self.address_of: Callable[[int], str] = lambda number: f"203.0.113.{number % 250 + 1}"
        self.add_instance(INSTANCE)

    def add_instance(self, name: str, *, zone: str = ZONE, status: str = "RUNNING") -> Json:
        """Add a machine and return it, to be changed at will."""
        path = f"zones/{zone}/instances/{name}"
        instance = self.resources[path] = {
            "kind": "compute#instance",
            "id": str(4_520_031_799_277_581_759 + next(self._numbers)),
            "name": name,
            "status": status,
            "zone": f"{BASE}/zones/{zone}",
            "machineType": f"{BASE}/zones/{zone}/machineTypes/e2-small",
            "selfLink": f"{BASE}/{path}",
            "networkInterfaces": [{"name": "nic0", "networkIP": "10.132.0.2", "accessConfigs": [_access()]}],
            "scheduling": {"provisioningModel": "STANDARD", "preemptible": False, "automaticRestart": True},
        }
        self._give_address(instance)
        return instance

    def add_schedule(self, name: str, *, attach_to: Json | None = None) -> Json:
        """Add an instance schedule that never comes true, and return it."""
        path = f"regions/{REGION}/resourcePolicies/{name}"
        policy = self.resources[path] = {
            "kind": "compute#resourcePolicy",
            "id": str(next(self._numbers)),
            "name": name,
            "region": f"{BASE}/regions/{REGION}",
            "selfLink": f"{BASE}/{path}",
            "status": "READY",
            "instanceSchedulePolicy": {"timeZone": "UTC", "vmStartSchedule": {"schedule": "0 0 1 1 *"}},
        }
        if attach_to is not None:
            attach_to.setdefault("resourcePolicies", []).append(policy["selfLink"])
        return policy

    def instance(self, name: str = INSTANCE, zone: str = ZONE) -> Json:
        """Return a machine as it is now."""
        return self.resources[f"zones/{zone}/instances/{name}"]

    def settle(self) -> None:
        """Return when every operation is done."""
        for thread in self._working:
            thread.join(60)

    def route(self, method: str, path: str) -> tuple[str, Act]:
        """Return the permission that a request takes, and what it does. Raises Refused."""
        found = _ROUTE.fullmatch(path)
        if found is None or found["name"] is None:
            raise Refused(404, "notFound", f"The requested URL {path} was not found on this server.")
        where = f"{found['place']}/{found['kind']}/{found['name']}"
        kind, verb = found["kind"], found["verb"]
        if kind == "operations":
            kind = f"{found['place'].partition('s/')[0]}Operations"
        acts: dict[tuple[str, str | None], tuple[str, Act]] = {
            ("GET", None): ("get", lambda _, __: self._get(where)),
            ("POST", "wait"): ("get", lambda _, __: self._wait(where)),
            ("PATCH", None): ("update", lambda query, body: self._patch(where, query, body)),
            ("POST", "testIamPermissions"): ("", lambda _, body: {**self._get(where), **body}),
        }
        for word in _CHANGES:
            acts["POST", word] = (word, partial(self._change, where, word))
        if (method, verb) not in acts:
            raise Refused(404, "notFound", f"The requested URL {path} was not found on this server.")
        permission, act = acts[method, verb]
        return f"compute.{kind}.{permission}", act

    def change(self, verb: str, where: str = f"zones/{ZONE}/instances/{INSTANCE}") -> Json:
        """Start, stop, suspend or resume a machine, as somebody else does."""
        return self._change(where, verb, {}, None)

    def _get(self, where: str) -> Json:
        with self._lock:
            if where not in self.resources:
                told = f"The resource 'projects/{PROJECT}/{where}' was not found"
                raise Refused(404, "notFound", told)
            return dict(self.resources[where])

    def _change(self, where: str, verb: str, query: dict[str, str], _: Any) -> Json:
        with self._lock:
            known = self._by_request.get(query.get("requestId", ""))
            if known is not None:
                return dict(known)
            self._get(where)
            instance, (must_be, meanwhile, then) = self.resources[where], _CHANGES[verb]
            if instance["status"] == then:
                return self._operation(where, verb, query, status="DONE")
            if instance["status"] not in must_be:
                raise Refused(400, "resourceNotReady", f"The resource '{where}' is not ready")
            operation = self._operation(where, verb, query, status="RUNNING")
            before, instance["status"] = instance["status"], meanwhile
            begun = dict(operation)
            self._carry_out(lambda: self._come_true(instance, operation, verb, (before, then)))
            return begun

    def _come_true(self, instance: Json, operation: Json, verb: str, states: tuple[str, str]) -> None:
        before, then = states
        try:
            self._hooks[verb](instance["name"])
        except Refused as refused:
            then = before
            operation["error"] = {"errors": [{"code": refused.reason, "message": refused.message}]}
            operation["httpErrorStatusCode"] = refused.status
            operation["httpErrorMessage"] = refused.message
        with self._lock:
            instance["status"] = then
            if then == "RUNNING":
                self._give_address(instance)
            else:
                instance["networkInterfaces"][0]["accessConfigs"] = [_access()]
            operation.update(status="DONE", progress=100)

    def _patch(self, where: str, query: dict[str, str], body: Json) -> Json:
        with self._lock:
            self._get(where)
            operation = self._operation(where, "update", query, status="RUNNING")

            def come_true() -> None:
                self.resources[where]["instanceSchedulePolicy"] |= body["instanceSchedulePolicy"]
                operation.update(status="DONE", progress=100)

            begun = dict(operation)
            self._carry_out(come_true)
            return begun

    def _wait(self, where: str) -> Json:
        self._get(where)
        self.settle()
        return self._get(where)

    def _carry_out(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._working.append(thread)
        thread.start()

    def _operation(self, where: str, verb: str, query: dict[str, str], *, status: str) -> Json:
        number = next(self._numbers)
        place = "/".join(where.split("/")[:2])
        path = f"{place}/operations/operation-{number:013}"
        operation = self.resources[path] = {
            "kind": "compute#operation",
            "id": str(7_000_000_000_000_000_000 + number),
            "name": path.rpartition("/")[2],
            "operationType": verb,
            "targetLink": f"{BASE}/{where}",
            "selfLink": f"{BASE}/{path}",
            place.split("/")[0].removesuffix("s"): f"{BASE}/{place}",
            "status": status,
            "progress": 100 if status == "DONE" else 0,
            "user": f"bus@{PROJECT}.iam.gserviceaccount.com",
            "insertTime": "2026-11-22T04:00:00.000-08:00",
        }
        if "requestId" in query:
            operation["clientOperationId"] = query["requestId"]
            self._by_request[query["requestId"]] = operation
        return operation

    def _give_address(self, instance: Json) -> None:
        """Give the machine another address than the last time, as Google does."""
        address = self.address_of(next(self._numbers))
        instance["networkInterfaces"][0]["accessConfigs"] = [{**_access(), "natIP": address}]


def _access() -> Json:
    return {"kind": "compute#accessConfig", "name": "external-nat", "type": "ONE_TO_ONE_NAT"}
