"""The script that is made from the actions of a bus, and run in the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.apps_script import script_of, type_of, whole_script
from tests.apps_script.scene import Scene
from tests.apps_script.script import PARTS

TEN_LINES = '''"""Count the words of a text."""

from typing import Annotated, Literal

from pydantic import Field


def run(text: str, least: Annotated[int, Field(ge=1)] = 1, order: Literal["word", "number"] = "word") -> dict:
    """Count the words of a text."""
    return {word: text.split().count(word) for word in text.split() if len(word) >= least}
'''


@pytest.fixture
def made(scene: Scene, tmp_path: Path) -> Path:
    """The script of a bus that has an action of ten lines more."""
    (scene.stage.folder / "actions" / "count_words.py").write_text(TEN_LINES)
    scene.stage.kernel.registry.load()
    found = scene.stage.client().get("/api/actions").json["actions"]
    path = tmp_path / "Code.gs"
    path.write_text(whole_script(found), "utf-8")
    return path


def test_an_action_of_ten_lines_gets_a_menu_entry_that_runs_it_for_rows(scene: Scene, made: Path) -> None:
    script = scene.script([["text", "least"], ["to be or not to be", 2]], files=[made])

    script.run("onOpen")
    script.run("run_count_words")

    items = script.state()["shown"]["menu"][0]["items"]
    assert {"caption": "count_words: Count the words of a text.", "name": "run_count_words"} in items
    assert scene.stage.engine.get(scene.jobs()[0]).action == "count_words"
    assert scene.params() == [{"text": "to be or not to be", "least": 2}]


def test_its_function_returns_the_result(scene: Scene, made: Path) -> None:
    script = scene.script([["text"]], files=[made])

    def done() -> None:
        scene.stage.succeeded(scene.jobs()[0], {"to": 2})

    script.meanwhile = [lambda: None] * 6 + [done]
    run = script.run("call_count_words", {"text": "to be to"})

    assert (run["error"], run["value"]) == ("", {"to": 2})


def test_its_function_is_typed_by_its_schema(made: Path) -> None:
    text = made.read_text("utf-8")

    assert ' * @param {{text: string, least?: number, order?: ("word"|"number")}} params\n' in text
    assert "function call_count_words(params) {\n" in text


def test_a_column_that_an_action_needs_is_asked_for(scene: Scene, made: Path) -> None:
    script = scene.script([["txt"], ["to be"]], files=[made])

    script.run("run_count_words")

    assert script.toasts() == ["count_words needs a column text, left of key."]
    assert scene.internet.asked == []


def test_the_whole_script_is_all_parts_in_one_file(made: Path) -> None:
    text = made.read_text("utf-8")

    assert all(part.read_text("utf-8") in text for part in PARTS)


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "array", "items": {"type": "number"}}, "Array<number>"),
        ({"type": "array"}, "Array<any>"),
        ({"type": "object", "additionalProperties": True}, "Object<string, any>"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "(string|null)"),
        ({"enum": ["a", 1]}, '("a"|1)'),
        ({"const": "a"}, '"a"'),
        ({"type": ["string", "null"]}, "(string|null)"),
        ({"$ref": "#/$defs/Thing"}, "any"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_types_are_those_of_the_schema(schema: Any, type_: str) -> None:
    assert type_of(schema) == type_


def test_what_an_action_says_of_itself_cannot_leave_its_comment(scene: Scene, tmp_path: Path) -> None:
    evil = "*/ throw new Error('out'); /*\n@param {string} stolen\n\u2028'\"`${boom}"
    schema = {"properties": {"*/ boom": {"type": "string", "description": evil}}}
    path = tmp_path / "Actions.gs"
    path.write_text(script_of([{"name": "evil", "description": evil, "schema": schema}]), "utf-8")

    script = scene.script([["url"]], files=[*PARTS, path])

    assert script.run("onOpen")["error"] == ""
    assert script.evaluate("typeof call_evil") == "function"


def test_names_that_no_menu_could_call_are_left_out() -> None:
    assert "run_private_" not in script_of([{"name": "private_", "description": "", "schema": {}}])
