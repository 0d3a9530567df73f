"""GET /api/cost: the bill of a month, in words and in numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import cost_doc
from api.server import build_app
from core.books import Books
from core.boots import Moments
from core.event_bus import KERNEL
from tests.api.stage import Stage

PRICES = """
[[prices]]
since = 2023-01-01
currency = "EUR"
machine = "small"
machine_per_hour = 3.6
disk_gb = 10
disk_per_gb_month = 7.2
address = "ephemeral"
address_per_hour = 0.36
source = "the contract"
"""


@pytest.fixture
def books(stage: Stage, tmp_path: Path) -> Books:
    """The books of a machine that started on 14 November 2023 at 22:13:00 and accepts jobs for 20 s."""
    (tmp_path / "prices.toml").write_text(PRICES)
    stage.clock.boot = stage.clock.steady = 20.0
    books = Books(
        tmp_path / "power",
        stage.kernel.bus.events,
        stage.clock,
        prices=tmp_path / "prices.toml",
        moments=lambda: Moments(boot_id="one", kernel=5.0, service=19.0, process=19.0),
    )
    books.ledger.begin(20.0)
    return books


@pytest.fixture
def client(stage: Stage, books: Books) -> FlaskClient:
    return build_app(replace(stage.kernel, books=books)).test_client()


def work(stage: Stage) -> None:
    """Let a job run for 80 seconds, and the machine idle for 100."""
    job = {"job_id": "a", "action": "fakejob"}
    stage.kernel.bus.events.publish("task.queued", KERNEL, job)
    stage.kernel.bus.events.publish("task.started", KERNEL, job)
    stage.clock.advance(80)
    stage.kernel.bus.events.publish("task.completed", KERNEL, job)
    stage.clock.advance(100)


def test_the_bill_says_all_there_is_to_say(client: FlaskClient, stage: Stage) -> None:
    work(stage)

    answer = client.get("/api/cost")

    disk = round(72 * 200 / (30 * 86_400), 6)
    amounts = {"compute": 0.2, "address": 0.02, "disk": disk, "free": 0.0, "total": round(0.22 + disk, 6)}
    assert answer.status_code == 200
    assert answer.json == {
        "month": "2023-11",
        "from": "2023-11-14T22:13:00+00:00",
        "to": "2023-11-14T22:16:20+00:00",
        "message": "On for 0.1 of 0.1 hours: 0.23 EUR instead of 0.23, nothing is saved so far.",
        "currency": "EUR",
        "prices": {"since": "2023-01-01", "machine": "small", "source": "the contract"},
        "sessions": 1,
        "lost_sessions": 0,
        "jobs": 1,
        "hours": {
            "on": 0.0556,
            "billed": 0.0556,
            "starting": 0.0056,
            "working": 0.0222,
            "idle": 0.0278,
            "off": 0.0,
        },
        "on_demand": amounts,
        "always_on": amounts,
        "saved": 0.0,
        "saved_percent": 0.0,
        "saved_percent_without_disk": 0.0,
        "starting_cost": 0.022,
        "idle_cost": 0.11,
        "actions": [
            {"action": "fakejob", "jobs": 1, "run_hours": 0.0222, "cost": 0.088, "cost_per_job": 0.088}
        ],
        "other_idle_times": answer.json["other_idle_times"],
        "boots": {
            "counted": 1,
            "lead": 20.0,
            "last": {
                "at": "2023-11-14T22:13:00+00:00",
                "restart": False,
                "accepting": 20.0,
                "phases": {"kernel": 5.0, "system": 14.0, "service": 1.0},
                "shares": {"kernel": 0.25, "system": 0.7, "service": 0.05},
            },
        },
    }


def test_the_example_in_the_documents_has_the_fields_of_a_real_answer(
    client: FlaskClient, stage: Stage
) -> None:
    work(stage)

    told = client.get("/api/cost").json

    (example,) = cost_doc.COST.answers[200].examples.values()
    assert fields_of(example) - fields_of(told) == {"boots.last.phases.first_claim"}
    assert fields_of(told) <= fields_of(example)


def fields_of(document: object, path: str = "") -> set[str]:
    if isinstance(document, list):
        return fields_of(document[0], path)
    if not isinstance(document, dict):
        return {path}
    return {name for key, value in document.items() for name in fields_of(value, f"{path}.{key}".lstrip("."))}


def test_other_idle_times_are_tried_and_told_in_words(client: FlaskClient, stage: Stage) -> None:
    work(stage)

    trials = client.get("/api/cost").json["other_idle_times"]

    assert [trial["in_words"] for trial in trials] == [
        *("1 minute", "2 minutes", "5 minutes", "10 minutes", "15 minutes", "30 minutes", "1 hour")
    ]
    assert [trial["starts"] for trial in trials] == [1] * 7
    # It would have stayed on for five minutes after its start at least.
    assert trials[0]["hours"] == round(320 / 3600, 4)
    assert trials[3]["hours"] == round((20 + 80 + 600) / 3600, 4)


def test_switching_off_saves_and_the_message_says_how_much(client: FlaskClient, stage: Stage) -> None:
    stage.clock.advance(3_580)
    stage.kernel.bus.events.publish("system.shutdown", KERNEL, {"message": "Stopping."})
    stage.clock.wall += 9 * 3_600
    stage.clock.boot += 9 * 3_600  # asleep

    told = client.get("/api/cost").json

    assert (told["sessions"], told["lost_sessions"]) == (2, 0)
    assert told["hours"]["off"] == 9.0
    assert (
        told["message"]
        == "On for 1.0 of 10.0 hours: 5.03 EUR instead of 40.60, 87.6 % saved (89.8 % without the disk)."
    )


def test_another_month_can_be_asked_for(client: FlaskClient) -> None:
    told = client.get("/api/cost?month=2023-10").json

    assert (told["month"], told["sessions"], told["on_demand"]["total"]) == ("2023-10", 0, 0.0)
    assert told["message"] == "No session of the machine is recorded in this month."
    assert (told["saved"], told["saved_percent"]) == (0.0, 0.0)
    assert told["from"] == told["to"] == "2023-11-01T00:00:00+00:00"  # nobody kept books before


@pytest.mark.parametrize(
    "month", ["", "2023", "2023-13", "2023-00", "0000-01", "9999-12", "2023-1", "²023-01", "now"]
)
def test_what_is_no_month_is_refused_with_an_example(client: FlaskClient, month: str) -> None:
    answer = client.get("/api/cost", query_string={"month": month})

    assert (answer.status_code, answer.json["field"]) == (400, "month")
    assert answer.json["hint"] == "Try month=2026-11"


@pytest.mark.parametrize(
    ("query", "code"),
    [("?months=2023-11", "unknown_field"), ("?month=2023-11&month=2023-10", "repeated_parameter")],
)
def test_other_questions_are_refused(client: FlaskClient, query: str, code: str) -> None:
    answer = client.get(f"/api/cost{query}")

    assert (answer.status_code, answer.json["code"]) == (400, code)


def test_prices_that_cannot_be_used_are_named_and_a_mended_file_needs_no_restart(
    client: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "prices.toml").write_text(PRICES.replace("3.6", '"cheap"'))
    refused = client.get("/api/cost")
    (tmp_path / "prices.toml").write_text(PRICES)

    answer = client.get("/api/cost")

    assert (refused.status_code, refused.json["code"]) == (500, "bad_config")
    assert "machine_per_hour must be a number from 0 to a billion" in refused.json["message"]
    assert answer.status_code == 200


def test_a_ledger_that_cannot_be_read_is_said_to_be_so(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "power" / "sessions.jsonl").mkdir()

    answer = client.get("/api/cost")

    assert (answer.status_code, answer.json["code"]) == (503, "engine_unavailable")
    assert answer.json["message"].startswith("The ledger cannot be read: ")


def test_the_line_of_a_session_tells_what_it_cost(
    client: FlaskClient, books: Books, stage: Stage, tmp_path: Path
) -> None:
    stage.clock.advance(80)
    books.ledger.beat()
    stage.clock.boot += 3_600

    client.get("/api/cost")

    line = (tmp_path / "power" / "sessions.jsonl").read_text()
    assert '"currency": "EUR", "compute": 0.1, "address": 0.01, "disk": 0.002778}' in line


def test_a_bus_without_books_has_no_bill(stage: Stage) -> None:
    assert stage.client().get("/api/cost").status_code == 404


def test_the_last_boot_is_a_metric(books: Books, stage: Stage) -> None:
    readings = replace(stage.kernel, books=books).readings()

    assert readings["aafai_boot_seconds"] == {"kernel": 5.0, "system": 14.0, "service": 1.0}
