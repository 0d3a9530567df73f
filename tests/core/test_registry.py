from __future__ import annotations

import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from core.actions import Limits
from core.errors import BrokenAction, InvalidParams, InvalidRequest, UnknownAction
from core.registry import Registry


def a_registry(folder: Path, *, import_timeout: float = 10.0, **sources: str) -> Registry:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(dedent(source))
    registry = Registry(folder, import_timeout=import_timeout)
    registry.load()
    return registry


TYPED = '''
from datetime import date
from typing import Annotated
from pydantic import Field, HttpUrl
from core import JobContext, action

@action(timeout="10m", max_attempts=2, isolation="thread", queue="browser")
def run(
    url: HttpUrl,
    pages: Annotated[int, Field(ge=1, description="How many.")] = 1,
    *,
    json: bool = False,
    since: date | None = None,
    job: JobContext,
) -> dict[str, str]:
    """Read pages."""
    return {}
'''
GOOD = "def run() -> int:\n    return 1\n"


def test_a_file_is_an_action_with_name_description_schema_and_limits(tmp_path: Path) -> None:
    spec = a_registry(tmp_path, read=TYPED).resolve("read")

    assert (spec.name, spec.description, spec.path) == ("read", "Read pages.", tmp_path / "read.py")
    assert spec.limits == Limits(timeout=600.0, max_attempts=2, isolation="thread", queue="browser")
    assert spec.schema["required"] == ["url"]
    assert spec.schema["additionalProperties"] is False
    assert spec.schema["properties"]["pages"] == {
        "default": 1,
        "description": "How many.",
        "minimum": 1,
        "title": "Pages",
        "type": "integer",
    }
    assert list(spec.schema["properties"]) == ["url", "pages", "json", "since"]


@pytest.mark.parametrize(
    "marked", ["", "from core import action\n@action\n", "from core import action\n@action()\n"]
)
def test_without_a_word_about_limits_the_usual_ones_hold(tmp_path: Path, marked: str) -> None:
    assert a_registry(tmp_path, act=marked + GOOD).resolve("act").limits == Limits(
        timeout=None, max_attempts=None, isolation="process", queue="default"
    )


def test_files_whose_names_begin_with_an_underscore_are_no_actions_but_may_help_them(tmp_path: Path) -> None:
    registry = a_registry(
        tmp_path, _words="GREETING = 'hello'\n", act=f"from . import _words\n{GOOD}", __init__="broken("
    )

    assert list(registry.actions) == ["act"]
    assert not registry.broken


def test_what_is_no_python_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.py").write_text("broken(")

    registry = a_registry(tmp_path, act=GOOD)

    assert list(registry.actions) == ["act"]
    assert not registry.broken


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def run(:\n", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("X = 1\n", "TypeError: bad.py defines no run(…) function and no execute(…)."),
        ("async def run() -> int:\n    return 1\n", "is async: write a plain function"),
        (
            "def run(*urls: str) -> int:\n    return 1\n",
            "takes *urls: str, but params are handed over by name",
        ),
        ("def run(url, /) -> int:\n    return 1\n", "takes url, but params are handed over by name"),
        ("class Thing: ...\ndef run(thing: Thing) -> int:\n    return 1\n", "PydanticSchemaGenerationError"),
        ("from core import action\n@action(timeout='soon')\ndef run(): ...\n", "'soon' is no duration"),
        ("def run(thing: object = object()) -> int:\n    return 1\n", "[non-serializable-default]"),
        (
            "from core import action\n@action(isolation='vm')\ndef run(): ...\n",
            "isolation must be 'process' or",
        ),
        ("from core import action\n@action(queue='../x')\ndef run(): ...\n", "queue must match"),
        (
            "from core import action\n@action(max_attempts=0)\ndef run(): ...\n",
            "max_attempts must be 1 or more",
        ),
    ],
)
def test_a_broken_file_is_reported_in_one_sentence_and_the_others_serve_on(
    tmp_path: Path, source: str, reason: str
) -> None:
    registry = a_registry(tmp_path, bad=source, good=GOOD)

    assert list(registry.actions) == ["good"]
    assert reason in registry.broken["bad"]
    assert "\n" not in registry.broken["bad"].strip()
    with pytest.raises(BrokenAction, match="'bad' could not be loaded"):
        registry.resolve("bad")


def test_a_file_that_hangs_while_it_is_imported_is_broken_and_the_bus_goes_on(tmp_path: Path) -> None:
    registry = a_registry(
        tmp_path, import_timeout=1.5, good=GOOD, hangs="import threading\nthreading.Event().wait()\n"
    )

    assert list(registry.actions) == ["good"]
    assert registry.broken["hangs"] == "Its import took longer than 1.5 seconds."


def test_a_file_whose_name_no_request_could_name_is_broken(tmp_path: Path) -> None:
    (tmp_path / "Not-A-Name.py").write_text(GOOD)

    registry = a_registry(tmp_path)

    assert registry.broken == {"Not-A-Name": "Its file name must match [a-z][a-z0-9_]{0,63} and end in .py."}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "os:system",
        "__init__",
        "a/b",
        "",
        "A",
        "a" * 65,
        "x" * 10_000,
        "\u0430ct",
        "act\n",
        "act.py",
    ],
)
def test_a_name_that_is_no_identifier_is_refused_before_anything_is_looked_up(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        a_registry(tmp_path, act=GOOD).resolve(name)

    assert (refusal.value.field, refusal.value.code) == ("action", "bad_name")


def test_an_unknown_action_names_the_nearest_one(tmp_path: Path) -> None:
    registry = a_registry(tmp_path, download_website=GOOD)

    with pytest.raises(UnknownAction) as refusal:
        registry.resolve("download_web")

    assert refusal.value.nearest == "download_website"


@pytest.mark.parametrize("name", ["os", "core", "subprocess"])
def test_a_name_never_reaches_an_import(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownAction):
        a_registry(tmp_path, act=GOOD).resolve(name)


def test_loading_again_sees_what_changed(tmp_path: Path) -> None:
    registry = a_registry(tmp_path, act="broken(")
    (tmp_path / "act.py").write_text(GOOD)

    registry.load()

    assert list(registry.actions) == ["act"]
    assert not registry.broken


NOTED = """
from pathlib import Path
with Path(__file__).with_suffix(".imports").open("a") as file:
    file.write("x")
def run() -> int:
    return 1
"""


def imports_of(folder: Path, name: str) -> int:
    """Return how often an action file that says NOTED was imported."""
    notes = folder / f"{name}.imports"
    return len(notes.read_text()) if notes.exists() else 0


def test_finding_imports_nothing_and_resolving_imports_just_that_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(NOTED)
    registry = Registry(tmp_path)

    registry.find()
    found = imports_of(tmp_path, "one"), imports_of(tmp_path, "two")
    registry.resolve("one")

    assert found == (0, 0)
    assert (imports_of(tmp_path, "one"), imports_of(tmp_path, "two")) == (1, 0)
    assert list(registry.actions) == ["one"]


def test_however_many_ask_for_an_action_at_once_it_is_imported_once(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(NOTED)
    registry = Registry(tmp_path)
    registry.find()

    askers = [threading.Thread(target=registry.resolve, args=["one"]) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    registry.load_found()

    assert imports_of(tmp_path, "one") == 1


def test_an_action_that_was_not_imported_yet_is_named_as_the_nearest_one_too(tmp_path: Path) -> None:
    (tmp_path / "download_website.py").write_text(GOOD)
    registry = Registry(tmp_path)
    registry.find()

    with pytest.raises(UnknownAction) as refusal:
        registry.resolve("download_web")

    assert refusal.value.nearest == "download_website"


@pytest.mark.parametrize(
    ("params", "problems"),
    [
        ({}, [("params.url", "is required")]),
        ({"url": "not a url"}, [("params.url", "Input should be a valid URL, relative URL without a base")]),
        ({"url": "http://a", "pages": "2"}, [("params.pages", "Input should be a valid integer")]),
        ({"url": "http://a", "pages": 2.5}, [("params.pages", "Input should be a valid integer")]),
        ({"url": "http://a", "pages": True}, [("params.pages", "Input should be a valid integer")]),
        ({"url": "http://a", "pages": 0}, [("params.pages", "Input should be greater than or equal to 1")]),
        ({"url": "http://a", "json": None}, [("params.json", "Input should be a valid boolean")]),
        (
            {"url": "http://a", "job": 1},
            [("params.job", "is no param of this action; it takes: url, pages, json, since")],
        ),
        (
            {"pages": -1},
            [("params.url", "is required"), ("params.pages", "Input should be greater than or equal to 1")],
        ),
    ],
)
def test_params_that_do_not_fit_are_refused_with_one_problem_for_each(
    tmp_path: Path, params: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    spec = a_registry(tmp_path, read=TYPED).resolve("read")

    with pytest.raises(InvalidParams) as refusal:
        spec.validate(params)

    assert [(problem.field, problem.message) for problem in refusal.value.problems] == problems


def test_a_whole_number_may_be_written_as_a_fraction_as_json_allows(tmp_path: Path) -> None:
    action = "def run(number: int, many: list[int], share: float) -> int:\n    return 1\n"
    spec = a_registry(tmp_path, act=action).resolve("act")

    read = spec.validate({"number": 5.0, "many": [1.0, 2], "share": 1})

    assert (repr(read["number"]), repr(read["many"]), read["share"]) == ("5", "[1, 2]", 1.0)
    with pytest.raises(InvalidParams):
        spec.validate({"number": 5.5, "many": [], "share": 1})


def test_a_refusal_never_repeats_the_value(tmp_path: Path) -> None:
    checks = """
    from typing import Annotated
    from pydantic import AfterValidator, BaseModel
    def refuse(value: str) -> str:
        raise ValueError(f"not {value}")
    class Login(BaseModel):
        password: int
    def run(token: Annotated[str, AfterValidator(refuse)], login: Login) -> int:
        return 1
    """
    spec = a_registry(tmp_path, act=checks).resolve("act")

    with pytest.raises(InvalidParams) as refusal:
        spec.validate({"token": "s3cret", "login": {"password": "hunter2"}})

    assert [problem.field for problem in refusal.value.problems] == ["params.token", "params.login.password"]
    assert "s3cret" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_checked_params_are_json_and_hold_only_what_was_given(tmp_path: Path) -> None:
    spec = a_registry(tmp_path, read=TYPED).resolve("read")

    checked = spec.validate({"url": "http://example.org", "since": "2026-02-03"})

    assert checked == {"url": "http://example.org/", "since": "2026-02-03"}


def test_the_older_form_takes_any_params(tmp_path: Path) -> None:
    old = "def execute(job_id, params, download_dir, write_result_to_outbound):\n    'Old.'\n"

    spec = a_registry(tmp_path, old=old).resolve("old")

    assert (spec.form, spec.description) == ("execute", "Old.")
    assert spec.validate({"anything": [1]}) == {"anything": [1]}
