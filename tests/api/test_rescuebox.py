"""Transcripts of the RescueBox dialect: request → exact JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.ml_service import MLService
from api.rescuebox_services import load_services
from core.event_bus import EventMessage
from core.ids import JOB_ID
from core.jobs import Query
from tests.api.stage import Stage
from tests.factories import an_id

SERVICES = Path(__file__).parents[2] / "services"
TRANSCRIBE = "def run(input_dir: str) -> dict:\n    return {}\n"
BODY = {"inputs": {"input_dir": {"path": "/media/calls"}}, "parameters": {}}
#: What the shipped action answers.
TEXTS: dict[str, Any] = {
    "output_type": "batchtext",
    "texts": [
        {"output_type": "text", "value": "go forward", "title": "/media/calls/1.wav", "subtitle": None}
    ],
}
FORM = {
    "inputs": [
        {
            "key": "input_dir",
            "label": "Folder of the recordings",
            "subtitle": "Below one of AAFAI_MEDIA_DIRS: WAV, FLAC, MP3 or Ogg Vorbis",
            "input_type": "directory",
        }
    ],
    "parameters": [],
}


@pytest.fixture
def audio() -> MLService:
    """The shipped service, as if all that it needs were installed."""
    (audio,), _ = load_services(SERVICES)
    (task,) = audio.tasks.values()
    audio.tasks.clear()
    audio.add_ml_service(
        rule="/transcribe",
        ml_function=task.action,
        task_schema=task.form,
        short_title=task.short_title,
        is_async=task.is_async,
    )
    return audio


@pytest.fixture
def client(stage: Stage, audio: MLService) -> FlaskClient:
    (stage.folder / "actions" / "transcribe_audio.py").write_text(TRANSCRIBE)
    stage.kernel.registry.load()
    return stage.client(services=[audio])


def text(title: str, value: str) -> dict[str, Any]:
    """Return a text as both kinds of clients read it."""
    return {
        "root": {"title": title, "value": value},
        "output_type": "text",
        "title": title,
        "value": value,
        "subtitle": None,
    }


def start(client: FlaskClient, path: str = "/audio/transcribe") -> str:
    answer = client.post(path, json=BODY)
    assert answer.status_code == 202, answer.json
    return answer.json["value"]


def ends_at_once(stage: Stage, result: object) -> None:
    """Let every job succeed while it is being submitted."""

    def succeed(message: EventMessage) -> None:
        stage.succeeded(message.payload["job_id"], result)

    stage.kernel.bus.events.subscribe("test", "task.queued", succeed)


def test_a_task_is_started_and_answered_with_its_id_in_both_shapes(client: FlaskClient, stage: Stage) -> None:
    answer = client.post("/audio/transcribe", json=BODY)

    job_id = answer.json["value"]
    assert (answer.status_code, answer.json) == (202, text("task_id", job_id))
    assert JOB_ID.fullmatch(job_id)
    job = stage.engine.get(job_id)
    assert (job.action, job.params) == ("transcribe_audio", {"input_dir": "/media/calls"})


def test_a_waiting_task_and_a_running_one_are_pending(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)

    waiting = client.get(f"/audio/transcribe/result/{job_id}")
    stage.progressed(job_id, 0.5, "1 of 2")
    running = client.get(f"/audio/transcribe/result/{job_id}")

    assert (waiting.status_code, waiting.json) == (200, text("status", "Task status: PENDING"))
    assert (running.status_code, running.json) == (200, text("status", "Task status: PENDING"))


def test_a_task_that_is_done_gives_its_response_body_in_both_shapes_and_gives_it_again(
    client: FlaskClient, stage: Stage
) -> None:
    job_id = start(client)
    stage.succeeded(job_id, TEXTS)

    first, second = (client.get(f"/audio/transcribe/result/{job_id}") for _ in range(2))

    assert (first.status_code, first.json) == (200, {"root": TEXTS, **TEXTS})
    assert first.data == second.data


def test_a_task_that_failed_says_why_and_no_client_polls_on(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)
    stage.failed(job_id, "timeout", "It took longer than 60 s.")

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    assert (answer.status_code, answer.json) == (200, text("error", "Task failed: It took longer than 60 s."))


def test_a_task_that_was_cancelled_says_why(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)
    stage.kernel.bus.cancel(job_id, reason="No longer wanted.")

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    assert (answer.status_code, answer.json) == (200, text("error", "Task failed: No longer wanted."))


@pytest.mark.parametrize("task_id", ["ab8b533a-7a33-451a-901b-b56349058792", "x", "%0a", "x" * 4096])
def test_an_id_that_no_task_can_have_is_404_so_that_no_client_polls_on(
    client: FlaskClient, task_id: str
) -> None:
    answer = client.get(f"/audio/transcribe/result/{task_id}")

    sentence = "task_id: this is not a job id."
    assert answer.status_code == 404
    assert (
        answer.json.items() >= {**text("error", sentence), "detail": sentence, "code": "bad_job_id"}.items()
    )


def test_an_unknown_task_is_404_and_an_error_in_both_shapes(client: FlaskClient) -> None:
    job_id = an_id()

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    sentence = f"There is no job {job_id}."
    beside = {"detail": sentence, "code": "unknown_job", "hint": "", "job_id": job_id}
    assert (answer.status_code, answer.json) == (404, {**text("error", sentence), **beside})


def test_an_expired_task_is_410_and_an_error_in_both_shapes(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)
    stage.succeeded(job_id, TEXTS)
    stage.kernel.bus.purge(stage.clock.now() + 1)

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    assert (answer.status_code, answer.json["root"]["title"], answer.json["code"]) == (
        410,
        "error",
        "expired",
    )


def test_a_job_of_another_action_is_no_task_of_this_one(client: FlaskClient) -> None:
    job_id = client.post("/inbound", json={"action": "fakejob"}).json["job_id"]

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_job")


def test_a_poll_that_finds_nothing_new_is_304_and_reads_no_result(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start(client)
    stage.succeeded(job_id, TEXTS)
    path = f"/audio/transcribe/result/{job_id}"
    tag = client.get(path).headers["ETag"]
    monkeypatch.setattr(stage.kernel.bus, "get", lambda job_id: pytest.fail("The whole job was read."))

    answer = client.get(path, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.data) == (304, b"")


def test_the_tag_changes_when_the_task_ends(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)
    path = f"/audio/transcribe/result/{job_id}"
    tag = client.get(path).headers["ETag"]

    stage.succeeded(job_id, TEXTS)

    assert client.get(path, headers={"If-None-Match": tag}).json == {"root": TEXTS, **TEXTS}


def test_a_result_that_was_read_keeps_the_machine_on_no_longer(client: FlaskClient, stage: Stage) -> None:
    job_id = start(client)
    stage.succeeded(job_id, TEXTS)
    path = f"/audio/transcribe/result/{job_id}"

    client.head(path)
    assert job_id in stage.kernel.deliveries.unread()
    client.get(path)
    assert job_id not in stage.kernel.deliveries.unread()


def test_the_same_key_and_body_start_one_task(client: FlaskClient, stage: Stage) -> None:
    headers = {"Idempotency-Key": "calls"}

    answers = [client.post("/audio/transcribe", json=BODY, headers=headers) for _ in range(2)]
    other = {"inputs": {"input_dir": {"path": "/media/others"}}}
    conflict = client.post("/audio/transcribe", json=other, headers=headers)

    assert answers[0].json == answers[1].json
    assert (conflict.status_code, conflict.json["root"]["title"]) == (409, "error")
    assert conflict.json["job_id"] == answers[0].json["value"]
    assert len(stage.engine.find(Query()).jobs) == 1


def test_a_task_that_is_not_asynchronous_is_answered_with_its_result(
    stage: Stage, client: FlaskClient
) -> None:
    ends_at_once(stage, TEXTS)

    answer = in_step(stage).post("/calls/transcribe", json=BODY)

    assert (answer.status_code, answer.json) == (200, {"root": TEXTS, **TEXTS})
    assert not stage.kernel.deliveries.unread()


def test_a_task_that_is_not_asynchronous_says_why_it_failed(stage: Stage, client: FlaskClient) -> None:
    stage.kernel.bus.events.subscribe(
        "test", "task.queued", lambda message: stage.failed(message.payload["job_id"], "lost", "It is gone.")
    )

    answer = in_step(stage).post("/calls/transcribe", json=BODY)

    assert (answer.status_code, answer.json) == (200, text("error", "Task failed: It is gone."))


def test_one_that_takes_too_long_is_polled_for_like_any_other(stage: Stage, client: FlaskClient) -> None:
    stage.kernel.bus.hang_up()  # As when the time to wait is over.
    waiting = in_step(stage)

    job_id = start(waiting, "/calls/transcribe")
    stage.succeeded(job_id, TEXTS)

    assert waiting.get(f"/calls/transcribe/result/{job_id}").json == {"root": TEXTS, **TEXTS}


def test_when_too_many_wait_already_nobody_else_does(stage: Stage, client: FlaskClient) -> None:
    answer = in_step(stage, long_polls=0).post("/calls/transcribe", json=BODY)

    assert (answer.status_code, answer.json["title"]) == (202, "task_id")


def test_a_service_lists_its_tasks(client: FlaskClient) -> None:
    answer = client.get("/audio/api/routes?streaming=false")

    assert (answer.status_code, answer.json) == (
        200,
        [
            {
                "task_schema": "/audio/transcribe/task_schema",
                "run_task": "/audio/transcribe",
                "short_title": "Transcribe audio files",
                "order": 0,
            }
        ],
    )


def test_a_service_says_what_it_is(client: FlaskClient) -> None:
    answer = client.get("/audio/api/app_metadata")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "name": "Audio Transcription",
            "plugin_name": "audio",
            "version": "1.0.0",
            "author": "aafai-bus",
            "info": "Writes down what is said in recordings, in English, without sending them anywhere.",
            "gpu": False,
        },
    )


def test_a_task_shows_its_form(client: FlaskClient) -> None:
    answer = client.get("/audio/transcribe/task_schema")

    assert (answer.status_code, answer.json) == (200, FORM)


@pytest.mark.parametrize("path", ["/probes/liveness/", "/probes/liveness"])
def test_the_server_says_that_it_is_there_without_a_token_too(stage: Stage, path: str) -> None:
    answer = stage.client(token="sixteen-characters").get(path)

    assert (answer.status_code, answer.json) == (200, {"message": "RescueBox API"})


def test_everything_else_needs_the_token(stage: Stage, audio: MLService) -> None:
    client = stage.client(services=[audio], token="sixteen-characters")

    answers = [client.post("/audio/transcribe", json=BODY), client.get("/audio/api/routes")]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json["root"]["title"] == "error"


def test_without_what_the_task_needs_it_is_refused_with_the_remedy(stage: Stage) -> None:
    service = MLService("calls")
    (audio,), _ = load_services(SERVICES)
    form = audio.tasks["/transcribe"].form
    service.add_ml_service(
        rule="/transcribe",
        ml_function="fakejob",
        task_schema=form,
        packages=["json", "no_such_package"],
        install="Run pip install it.",
    )

    answer = stage.client(services=[service]).post("/calls/transcribe", json=BODY)

    assert (answer.status_code, answer.json["detail"], answer.json["hint"]) == (
        422,
        "This bus lacks what it needs: no_such_package.",
        "Run pip install it.",
    )
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"root": TEXTS}, TEXTS),
        ({"output_type": "file", "file_type": "csv", "path": "/a.csv"}, None),
        ({"output_type": "directory", "path": "/a", "title": "A"}, None),
        ({"output_type": "markdown", "value": "# A"}, None),
        ({"output_type": "text", "value": "a"}, None),
        ({"output_type": "batchfile", "files": []}, None),
        ({"output_type": "batchdirectory", "directories": []}, None),
        ("a text", {"output_type": "text", "value": "a text", "title": None, "subtitle": None}),
        ({"waited": 2}, {"output_type": "text", "value": '{"waited": 2}', "title": None, "subtitle": None}),
        (None, {"output_type": "text", "value": "null", "title": None, "subtitle": None}),
        (
            {"output_type": "text"},
            {"output_type": "text", "value": '{"output_type": "text"}', "title": None, "subtitle": None},
        ),
        (
            {"output_type": ["text"]},
            {"output_type": "text", "value": '{"output_type": ["text"]}', "title": None, "subtitle": None},
        ),
    ],
)
def test_whatever_an_action_answers_becomes_a_response_body(
    client: FlaskClient, stage: Stage, result: object, body: dict[str, Any] | None
) -> None:
    job_id = start(client)
    stage.succeeded(job_id, result)
    expected = result if body is None else body

    answer = client.get(f"/audio/transcribe/result/{job_id}")

    assert isinstance(expected, dict)
    assert (answer.status_code, answer.json) == (200, {"root": expected, **expected})


def in_step(stage: Stage, **settings: Any) -> FlaskClient:
    """Return a client of a bus that offers the same task, but answers it with its result."""
    service = MLService("calls")
    (audio,), _ = load_services(SERVICES)
    form = audio.tasks["/transcribe"].form
    service.add_ml_service(
        rule="/transcribe", ml_function="transcribe_audio", task_schema=form, is_async=False
    )
    return stage.client(services=[service], **settings)
