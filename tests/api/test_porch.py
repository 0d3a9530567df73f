"""A first client is answered before all doors are there; whoever knocks at another one is let in as well."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import Client

from api.doorkeeper import Doorkeeper
from api.executor import TaskDefaults
from api.porch import PATIENCE, Porch, app_of, first_doors, hall_of
from api.server import build_app_of

A_JOB = {"action": "fakejob", "params": {"delay_seconds": 2}}


class Builder:
    """Builds the application with all doors, fails as often as it is told to, and counts."""

    def __init__(self, hall, folder):
        self.times, self.faults = 0, []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._hall, self._folder = hall, folder

    def __call__(self):
        self.times += 1
        assert self.may_go_on.wait(30)
        if self.faults:
            raise self.faults.pop()
        return build_app_of(self._hall, services=(), downloads=self._folder, tasks=TaskDefaults())


@pytest.fixture
def hall(stage):
    return hall_of(stage.kernel, Doorkeeper(stage.clock), max_body=1 << 20, long_polls=2)


@pytest.fixture
def build(hall, tmp_path):
    return Builder(hall, tmp_path)


@pytest.fixture
def porch(hall, build):
    return Porch(hall, build)


def test_a_job_is_taken_in_and_health_is_told_before_the_other_doors_are_there(porch, build):
    client = Client(porch)

    health = client.get("/health")
    taken = client.post("/inbound", json=A_JOB)
    poll = client.get(f"/outbound?job_id={taken.json['job_id']}")

    assert (health.json["accepting"], poll.json["status"]) == (True, "pending")
    assert build.times == 0


@pytest.mark.parametrize("path", ["/api/jobs", "/api/robotni/nothing", "/openapi.json", "/no/such/path"])
def test_whoever_knocks_at_another_door_first_is_answered_as_ever(porch, hall, build, path):
    whole = Client(build())

    early = Client(porch).get(path)

    later = whole.get(path)
    assert (early.status_code, early.json) == (later.status_code, later.json)


@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", "/inbound"), ("GET", "/inbound"), ("PUT", "/health")]
)
def test_another_method_at_a_first_door_is_answered_as_ever(porch, build, method, path):
    whole = Client(build())

    early = Client(porch).open(path, method=method)

    later = whole.open(path, method=method)
    assert early.status_code == later.status_code
    assert early.headers.get("Allow") == later.headers.get("Allow")


def test_many_who_knock_at_once_wait_for_one_building(porch, build):
    build.may_go_on.clear()

    def code_of(path):
        return Client(porch).get(path).status_code

    with ThreadPoolExecutor(8) as knocking:
        answers = [knocking.submit(code_of, "/api/jobs") for _ in range(8)]
        taken = Client(porch).post("/inbound", json=A_JOB)
        build.may_go_on.set()
        codes = [answer.result(30) for answer in answers]

    assert taken.json["status"] == "received"
    assert (codes, build.times) == ([200] * 8, 1)


def test_a_job_that_came_early_is_found_at_every_other_door_and_its_event_is_remembered(porch, hall):
    client = Client(porch)

    job_id = client.post("/inbound", json=A_JOB).json["job_id"]

    assert client.get(f"/api/jobs/{job_id}").json["job_id"] == job_id
    assert hall.ring.newest == 1


def test_every_first_door_leads_to_the_same_view_as_later(hall, build):
    first, whole = (app.url_map.bind("") for app in (app_of(hall, first_doors(hall)), build()))

    ways = [(rule.rule, method) for rule in first.map.iter_rules() for method in rule.methods]

    assert ("/inbound", "POST") in ways
    assert [first.match(*way) for way in ways] == [whole.match(*way) for way in ways]


def test_a_fault_in_building_is_met_by_whoever_needs_it_until_it_is_mended(porch, build):
    build.faults = [ImportError("no module named robots")] * 2
    client = Client(porch)
    assert client.get("/health").status_code == 200

    for early in (porch.prepare, lambda: client.get("/api/jobs")):
        with pytest.raises(ImportError, match="robots"):
            early()

    assert [client.get(path).status_code for path in ("/health", "/api/jobs")] == [200, 200]


def test_whoever_asks_first_is_answered_before_the_other_doors_are_hung(porch, build, stage, monkeypatch):
    waits = []
    monkeypatch.setattr(
        stage.clock, "wait", lambda event, seconds: waits.append((event.is_set(), seconds, build.times))
    )

    porch.prepare()

    assert (waits, build.times) == ([(False, PATIENCE, 0)], 1)


def test_an_answer_ends_that_wait(porch, stage, monkeypatch):
    waits = []
    monkeypatch.setattr(stage.clock, "wait", lambda event, seconds: waits.append(event.is_set()))
    Client(porch).post("/inbound", json=A_JOB)

    porch.prepare()

    assert waits == [True]
