"""Bad input in the RescueBox dialect: 4xx, an error in both shapes that names the field, nothing queued."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from schemathesis import Case
from schemathesis.generation import GenerationMode

from api.ml_service import MLService
from api.rescuebox_schema import (
    EnumParameterDescriptor,
    EnumVal,
    FloatParameterDescriptor,
    FloatRangeDescriptor,
    InputSchema,
    InputType,
    IntParameterDescriptor,
    IntRangeDescriptor,
    NewFileInputType,
    ParameterSchema,
    RangedFloatParameterDescriptor,
    RangedIntParameterDescriptor,
    TaskSchema,
    TextParameterDescriptor,
)
from core.jobs import Query
from tests.api.stage import Stage
from tests.api.test_doors import hold_against_the_document

PATH = "/everything/run"
#: One input of each kind, and one parameter of each.
FORM = TaskSchema(
    inputs=[
        *(InputSchema(key=f"a_{kind}", label="", input_type=kind) for kind in InputType),
        InputSchema(key="a_newfile", label="", input_type=NewFileInputType(default_extension=".csv")),
    ],
    parameters=[
        ParameterSchema(key="whole", label="", value=IntParameterDescriptor(default=0)),
        ParameterSchema(
            key="ranged_whole",
            label="",
            value=RangedIntParameterDescriptor(default=2, range=IntRangeDescriptor(min=1, max=3)),
        ),
        ParameterSchema(key="number", label="", value=FloatParameterDescriptor(default=0.5)),
        ParameterSchema(
            key="ranged_number",
            label="",
            value=RangedFloatParameterDescriptor(default=0.5, range=FloatRangeDescriptor(min=0, max=1)),
        ),
        ParameterSchema(
            key="choice",
            label="",
            value=EnumParameterDescriptor(
                default="a", enum_vals=[EnumVal(label="A", key="a"), EnumVal(label="B", key="b")]
            ),
        ),
        ParameterSchema(key="words", label="", value=TextParameterDescriptor(default="none")),
    ],
)
VALID: dict[str, Any] = {
    "inputs": {
        "a_file": {"path": "/media/1.wav"},
        "a_directory": {"path": "/media"},
        "a_text": {"text": "grüß 🚌"},
        "a_textarea": {"text": ""},
        "a_batchfile": {"files": [{"path": "/media/1.wav"}, {"path": "/media/2.wav"}]},
        "a_batchtext": {"texts": [{"text": "one"}]},
        "a_batchdirectory": {"directories": []},
        "a_newfile": {"path": "/media/new.csv"},
    },
    "parameters": {
        "whole": 7,
        "ranged_whole": 3,
        "number": 1e9,
        "ranged_number": 0.25,
        "choice": "b",
        "words": "",
    },
}
ACTION = """
def run(
    a_file: str, a_directory: str, a_text: str, a_textarea: str, a_newfile: str,
    a_batchfile: list[str], a_batchtext: list[str], a_batchdirectory: list[str],
    whole: int, ranged_whole: int, number: float, ranged_number: float, choice: str, words: str,
) -> dict:
    return {}
"""


@pytest.fixture
def client(stage: Stage) -> FlaskClient:
    (stage.folder / "actions" / "everything.py").write_text(ACTION)
    stage.kernel.registry.load()
    return stage.client(services=[a_service()])


def a_service() -> MLService:
    """Return a service that asks for everything."""
    service = MLService("everything")
    service.add_ml_service(rule="/run", ml_function="everything", task_schema=FORM, is_async=True)
    return service


def params(client: FlaskClient, stage: Stage, body: object) -> Any:
    answer = client.post(PATH, json=body)
    assert answer.status_code == 202, answer.json
    return stage.engine.get(answer.json["value"]).params


def with_value(place: str, value: object) -> Any:
    """Return the valid body with another value at a place such as `inputs.a_file.path`."""
    body = json.loads(json.dumps(VALID))
    *way, last = place.split(".")
    at = body
    for name in way:
        at = at[name]
    at[last] = value
    return body


def test_every_kind_of_input_and_parameter_reaches_the_action(client: FlaskClient, stage: Stage) -> None:
    assert params(client, stage, VALID) == {
        "a_file": "/media/1.wav",
        "a_directory": "/media",
        "a_text": "grüß 🚌",
        "a_textarea": "",
        "a_batchfile": ["/media/1.wav", "/media/2.wav"],
        "a_batchtext": ["one"],
        "a_batchdirectory": [],
        "a_newfile": "/media/new.csv",
        **VALID["parameters"],
    }


@pytest.mark.parametrize("given", [{}, {"parameters": None}, {"parameters": {}}])
def test_what_is_left_out_is_the_default_of_the_form(
    client: FlaskClient, stage: Stage, given: dict[str, Any]
) -> None:
    read = params(client, stage, {"inputs": VALID["inputs"], **given})

    assert {field.key: read[field.key] for field in FORM.parameters} == {
        "whole": 0,
        "ranged_whole": 2,
        "number": 0.5,
        "ranged_number": 0.5,
        "choice": "a",
        "words": "none",
    }


@pytest.mark.parametrize(
    ("key", "sent", "read"),
    [
        *(("whole", "7", 7), ("whole", " -7 ", -7), ("whole", 7.0, 7), ("whole", "", 0), ("whole", None, 0)),
        *(("number", "1.5", 1.5), ("number", "1e3", 1000.0), ("number", ".5", 0.5), ("number", "", 0.5)),
        *(("ranged_whole", "3", 3), ("ranged_number", "1", 1.0), ("choice", "", "a"), ("words", "7", "7")),
    ],
)
def test_numbers_are_read_as_the_forms_of_rescuebox_send_them(
    client: FlaskClient, stage: Stage, key: str, sent: object, read: object
) -> None:
    assert params(client, stage, with_value(f"parameters.{key}", sent))[key] == read


WRONG: list[tuple[str, Any, str, str]] = [
    *(
        (f"inputs.{name}", value, f"inputs.{name}", "wrong_type")
        for name in VALID["inputs"]
        for value in (3, "x")
    ),
    *((f"inputs.{name}", None, f"inputs.{name}", "wrong_type") for name in VALID["inputs"]),
    *((f"inputs.{name}", {"x": 1}, f"inputs.{name}.x", "unknown_field") for name in VALID["inputs"]),
    ("inputs.a_file", {}, "inputs.a_file.path", "missing_field"),
    ("inputs.a_text", {}, "inputs.a_text.text", "missing_field"),
    ("inputs.a_batchfile", {}, "inputs.a_batchfile.files", "missing_field"),
    ("inputs.a_file", {"path": "/a", "text": "b"}, "inputs.a_file.text", "unknown_field"),
    *(("inputs.a_file.path", value, "inputs.a_file.path", "wrong_type") for value in (3, None, [], {}, True)),
    *(("inputs.a_text.text", value, "inputs.a_text.text", "wrong_type") for value in (3, None, [], {}, True)),
    *(
        ("inputs.a_directory.path", value, "inputs.a_directory.path", "invalid_request")
        for value in ("..", "/a/..", "../b", "/a/../b", "/a\0b", "/a\n")
    ),
    ("inputs.a_newfile.path", "", "inputs.a_newfile.path", "out_of_range"),
    ("inputs.a_newfile.path", "/" * 4_097, "inputs.a_newfile.path", "out_of_range"),
    ("inputs.a_batchfile.files", {}, "inputs.a_batchfile.files", "wrong_type"),
    ("inputs.a_batchfile.files", [{"path": "/a"}] * 1_001, "inputs.a_batchfile.files", "out_of_range"),
    ("inputs.a_batchfile.files", ["/a"], "inputs.a_batchfile.files[0]", "wrong_type"),
    ("inputs.a_batchfile.files", [{"path": "/a"}, {"path": ".."}], "inputs.a_batchfile.files[1].path", ""),
    ("inputs.a_batchtext.texts", [{"text": 1}], "inputs.a_batchtext.texts[0].text", "wrong_type"),
    (
        "inputs.a_batchdirectory.directories",
        [{}],
        "inputs.a_batchdirectory.directories[0].path",
        "missing_field",
    ),
    ("inputs.more", {"path": "/a"}, "inputs.more", "unknown_field"),
    ("inputs", None, "inputs", "wrong_type"),
    ("inputs", [], "inputs", "wrong_type"),
    ("inputs", {}, "inputs.a_file", "missing_field"),
    ("parameters", [], "parameters", "wrong_type"),
    ("parameters", "x", "parameters", "wrong_type"),
    ("parameters.more", 1, "parameters.more", "unknown_field"),
    *(
        (f"parameters.{name}", value, f"parameters.{name}", "wrong_type")
        for name in ("whole", "ranged_whole", "number", "ranged_number")
        for value in ("x", True, [], {}, "1 2", "٣", "1" * 50, "0x10")
    ),
    *((f"parameters.{name}", 1.5, f"parameters.{name}", "wrong_type") for name in ("whole", "ranged_whole")),
    *(("parameters.ranged_whole", value, "parameters.ranged_whole", "out_of_range") for value in (0, 4, "4")),
    *(
        ("parameters.ranged_number", value, "parameters.ranged_number", "out_of_range")
        for value in (-0.1, 1.1, "2")
    ),
    ("parameters.number", "1e999", "parameters.number", "out_of_range"),
    *(("parameters.choice", value, "parameters.choice", "wrong_type") for value in (1, True, [], {})),
    ("parameters.choice", "c", "parameters.choice", "out_of_range"),
    *(("parameters.words", value, "parameters.words", "wrong_type") for value in (1, True, [], {})),
    ("more", 1, "more", "unknown_field"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_every_field_that_is_wrong_is_named_and_nothing_is_queued(
    client: FlaskClient, stage: Stage, wrong: tuple[str, Any, str, str]
) -> None:
    place, value, field, code = wrong

    answer = client.post(PATH, json=with_value(place, value))

    assert (answer.status_code, answer.json["field"]) == (400, field)
    assert answer.json["code"] == (code or "invalid_request")
    assert answer.json["title"] == answer.json["root"]["title"] == "error"
    assert answer.json["value"] == answer.json["root"]["value"] == answer.json["detail"]
    assert answer.json["detail"].startswith(f"{field}: ")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("missing", [*VALID["inputs"]])
def test_every_input_is_needed(client: FlaskClient, stage: Stage, missing: str) -> None:
    inputs = {name: value for name, value in VALID["inputs"].items() if name != missing}

    answer = client.post(PATH, json={"inputs": inputs})

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (
        400,
        "missing_field",
        f"inputs.{missing}",
    )
    assert not stage.engine.find(Query()).jobs


BODIES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "empty_body"),
    "not JSON": (b"{inputs}", 400, "bad_json"),
    "NaN": (b'{"inputs":NaN}', 400, "bad_json"),
    "1e999": (b'{"inputs":1e999}', 400, "number_out_of_range"),
    "the same key twice": (b'{"inputs":{},"inputs":{}}', 400, "duplicate_key"),
    "10,000 deep": (b'{"inputs":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "too_deep"),
    "5,000 digits": (b'{"inputs":' + b"1" * 5_000 + b"}", 400, "number_out_of_range"),
    "a lone surrogate": (rb'{"inputs":"\ud800"}', 400, "lone_surrogate"),
    "UTF-16": ('{"inputs":{}}'.encode("utf-16"), 400, "not_utf8"),
    "an array": (b"[]", 400, "must_be_object"),
    "no inputs": (b"{}", 400, "missing_field"),
    "longer than the limit": (b" " * (2**20 + 1), 413, "body_too_large"),
}


@pytest.mark.parametrize("wrong", BODIES)
def test_a_bad_body_is_refused_in_both_shapes(client: FlaskClient, stage: Stage, wrong: str) -> None:
    body, status, code = BODIES[wrong]

    answer = client.post(PATH, data=body, content_type="application/json")

    assert (answer.status_code, answer.mimetype, answer.json["code"]) == (status, "application/json", code)
    assert answer.json["root"] == {"title": "error", "value": answer.json["detail"]}
    assert not stage.engine.find(Query()).jobs


def test_a_body_of_another_type_is_refused_with_a_hint(client: FlaskClient) -> None:
    answer = client.post(PATH, data=json.dumps(VALID), content_type="text/plain")

    assert (answer.status_code, answer.json["code"]) == (415, "not_json_type")
    assert "application/json" in answer.json["hint"]


def test_what_the_action_itself_refuses_is_named_as_in_the_request(client: FlaskClient, stage: Stage) -> None:
    strict = ACTION.replace("a_batchfile: list[str]", "a_batchfile: list[int]").replace(
        "whole: int", "whole: str", 1
    )
    # Of another length: what was compiled of a file of this second and this length would count as this one.
    (stage.folder / "actions" / "everything.py").write_text(strict + "\n")
    stage.kernel.registry.load()

    answer = client.post(PATH, json=VALID)

    fields = [problem["field"] for problem in answer.json["problems"]]
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_params")
    assert fields == ["inputs.a_batchfile[0]", "inputs.a_batchfile[1]", "parameters.whole"]
    assert "inputs.a_batchfile[0]" in answer.json["detail"]


@pytest.mark.parametrize(
    ("action", "status", "code"), [("gone", 422, "unknown_action"), ("broken", 503, "broken_action")]
)
def test_a_task_without_a_working_action_is_refused(
    stage: Stage, action: str, status: int, code: str
) -> None:
    service = MLService("odd")
    service.add_ml_service(rule="/run", ml_function=action, task_schema=TaskSchema())

    answer = stage.client(services=[service]).post("/odd/run", json={})

    assert (answer.status_code, answer.json["code"], answer.json["title"]) == (status, code, "error")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/task_schema", "/everything/api/routes"])
def test_other_methods_are_refused(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (405, "application/json")


def test_the_task_schema_shows_each_kind(client: FlaskClient) -> None:
    form = client.get(f"{PATH}/task_schema").json

    assert [one["input_type"] for one in form["inputs"][:-1]] == [kind.value for kind in InputType]
    assert form["inputs"][-1]["input_type"]["input_type"] == "newfile"
    assert [one["value"] for one in form["parameters"]] == [
        {"parameter_type": "int", "default": 0},
        {"parameter_type": "ranged_int", "default": 2, "range": {"min": 1, "max": 3}},
        {"parameter_type": "float", "default": 0.5},
        {"parameter_type": "ranged_float", "default": 0.5, "range": {"min": 0, "max": 1}},
        {
            "parameter_type": "enum",
            "default": "a",
            "enum_vals": [{"label": "A", "key": "a"}, {"label": "B", "key": "b"}],
            "message_when_empty": None,
        },
        {"parameter_type": "text", "default": "none"},
    ]


#: What is asked and how, and how many cases of each: more than 1,000 in all.
ASKED = [
    *((PATH, "post", mode, 300) for mode in GenerationMode),
    *((f"{PATH}/result/{{task_id}}", "get", mode, 220) for mode in GenerationMode),
    (f"{PATH}/task_schema", "get", GenerationMode.POSITIVE, 5),
    ("/everything/api/routes", "get", GenerationMode.POSITIVE, 5),
    ("/everything/api/app_metadata", "get", GenerationMode.POSITIVE, 5),
]


class ServingStage(Stage):
    """A stage whose clients are offered everything."""

    def client(self, **settings: Any) -> FlaskClient:
        return super().client(services=[a_service()], **settings)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.usefixtures("client")
def test_a_service_answers_what_its_document_says(
    stage: Stage, asked: tuple[str, str, GenerationMode, int]
) -> None:
    path, method, mode, cases = asked
    serving = ServingStage(stage.kernel, stage.engine, stage.clock, stage.folder)

    hold_against_the_document(serving, path, method, mode, cases=cases, can_be_judged=has_no_limit_as_text)


def has_no_limit_as_text(case: Case) -> bool:
    """Return whether no number that must be within limits comes as text: a pattern knows no limits."""
    parameters = case.body.get("parameters") if isinstance(case.body, dict) else None
    given = parameters if isinstance(parameters, dict) else {}
    limited = (given.get(name) for name in ("ranged_whole", "number", "ranged_number"))
    return not any(isinstance(number, str) and number for number in limited)


def test_every_operation_of_a_service_is_asked(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    mine = {(path, method) for path in paths for method in paths[path] if path.startswith("/everything/")}

    assert mine == {(path, method) for path, method, _, _ in ASKED}
    assert sum(cases for *_, cases in ASKED) >= 1_000
