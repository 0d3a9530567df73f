"""MLService: what a service file may declare, what it becomes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.ml_service import TAKEN, MLService
from api.rescuebox_schema import (
    InputSchema,
    InputType,
    IntParameterDescriptor,
    NewFileInputType,
    ParameterSchema,
    TaskSchema,
)
from api.rescuebox_services import load_services
from core.registry import Registry
from tests.api.stage import Stage

ROOT = Path(__file__).parents[2]
SERVICE = "from api.ml_service import MLService\nservice = MLService({name!r})\n"
TEXT = InputSchema(key="text", label="Text", input_type=InputType.TEXT)


@pytest.mark.parametrize("name", ["", "Audio", "1st", "a.b", "a/b", "a" * 65, "../x", *sorted(TAKEN)])
def test_a_service_has_a_name_that_can_begin_a_path_and_is_nobody_elses(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be named"):
        MLService(name)


def test_no_other_dialect_has_paths_under_a_name_that_a_service_may_have(stage: Stage) -> None:
    rules = stage.client().application.url_map.iter_rules()

    assert {rule.rule.split("/")[1] for rule in rules} <= TAKEN


@pytest.mark.parametrize("rule", ["", "transcribe", "/", "/Upper", "/a/b", "/api", "/<x>", "/once"])
def test_a_rule_is_one_part_of_a_path_and_given_once(rule: str) -> None:
    service = MLService("texts")
    service.add_ml_service(rule="/once", ml_function="fakejob", task_schema=TaskSchema())

    with pytest.raises(ValueError, match="texts: the rule"):
        service.add_ml_service(rule=rule, ml_function="fakejob", task_schema=TaskSchema())


def test_two_fields_of_a_form_need_two_keys() -> None:
    number = ParameterSchema(key="text", label="Number", value=IntParameterDescriptor(default=1))

    with pytest.raises(ValueError, match="the key 'text'"):
        TaskSchema(inputs=[TEXT], parameters=[number])


def test_a_file_to_be_made_says_what_it_may_be_called() -> None:
    kind = NewFileInputType(default_extension=".csv", allowed_extensions=[".csv", ".tsv"])
    form = TaskSchema(inputs=[InputSchema(key="table", label="Table", input_type=kind)])

    assert form.json["inputs"][0]["input_type"] == {
        "default_extension": ".csv",
        "default_name": None,
        "allowed_extensions": [".csv", ".tsv"],
        "input_type": "newfile",
    }


def test_a_service_without_metadata_is_known_by_its_name() -> None:
    metadata = MLService("texts").app_metadata

    assert (metadata.name, metadata.plugin_name, metadata.gpu) == ("texts", "texts", False)


def test_the_services_of_a_folder_are_found_in_the_order_of_their_files(tmp_path: Path) -> None:
    for stem in ("b", "a", "_left_out", ".hidden"):
        (tmp_path / f"{stem}.py").write_text(SERVICE.format(name=f"from-{stem.strip('._')}"))

    services, problems = load_services(tmp_path)

    assert ([service.name for service in services], problems) == (["from-a", "from-b"], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:\n", "SyntaxError: "),
        ("NOTHING = 1\n", "ValueError: it makes no MLService"),
        (SERVICE.format(name="api"), "ValueError: A service cannot be named 'api'"),
        (SERVICE.format(name="good"), "ValueError: another file makes a service named 'good' too"),
    ],
)
def test_a_broken_file_is_told_and_harms_no_other(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    (tmp_path / "another_bad.py").write_text("1 / 0\n")
    (tmp_path / "a_good.py").write_text(SERVICE.format(name="good"))

    services, problems = load_services(tmp_path)

    assert [service.name for service in services] == ["good"]
    assert [problem.partition(" could not be loaded: ")[0] for problem in problems] == [
        f"The service file {tmp_path / name}" for name in ("another_bad.py", "bad.py")
    ]
    assert f" could not be loaded: {why}" in problems[1]


def test_a_folder_that_is_not_there_has_no_services(tmp_path: Path) -> None:
    assert load_services(tmp_path / "nowhere") == ([], [])


def test_every_shipped_service_loads_and_its_forms_fit_its_actions() -> None:
    registry = Registry(ROOT / "actions")
    registry.find()

    services, problems = load_services(ROOT / "services")

    assert problems == []
    assert [service.name for service in services] == ["audio"]
    for task in (task for service in services for task in service.tasks.values()):
        keys = set(task.form.keys)
        schema = registry.resolve(task.action).schema
        assert set(schema.get("required", ())) <= keys <= schema["properties"].keys()
