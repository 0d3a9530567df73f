"""Functions of allowed packages are called in a process of their own; no other is ever imported."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from core.errors import InvalidParams, InvalidRequest, UnknownAction
from core.functions import Functions, built_in
from core.jobs import State
from core.registry import Registry
from tests.core.workbench import Workbench

APP = '''
import os
from subprocess import Popen


def greet(name, *, mark="!"):
    """Say hello."""
    return {"said": f"Hello {name}{mark}", "pid": os.getpid(), "home": os.environ["HOME"]}


def fails():
    raise ValueError("no such luck")


def odd():
    return object()


class Thing:
    def __call__(self): ...


thing = Thing()


async def later(): ...


def enqueue():
    from core import TaskQueue

    TaskQueue()
'''


@pytest.fixture
def functions(tmp_path):
    package = tmp_path / "mine" / "app" / "services"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    (package / "hello.py").write_text(dedent(APP))
    return Functions(["app.services"], tmp_path / "mine")


@pytest.fixture
def workbench(tmp_path, functions):
    bench = Workbench(tmp_path, environment={"PATH": "/usr/bin", **functions.environment})
    bench.registry._built_in = built_in(functions)
    bench.registry.load()
    return bench


@pytest.fixture
def called(workbench):
    """Run one attempt of a call and return the job as it is stored then."""

    def call(function, **params):
        job = workbench.claim("call_function", {"function": function, **params}, max_attempts=1)
        workbench.runner.perform(job)
        return workbench.engine.get(job.id)

    yield call
    workbench.runner.stop(0)


def test_a_function_is_called_with_its_arguments_in_a_process_of_its_own(called):
    import os

    job = called("app.services.hello:greet", args=["you"], kwargs={"mark": "?"})

    assert job.state is State.SUCCEEDED, job.error
    assert job.result["said"] == "Hello you?"
    assert job.result["pid"] != os.getpid()


def test_arguments_may_be_left_out(called):
    job = called("app.services.hello:fails")

    assert (job.error.code, job.error.message) == ("action_error", "ValueError: no such luck")


def test_a_function_is_told_how_to_submit_instead_of_opening_a_bus_of_its_own(called):
    assert called("app.services.hello:enqueue").error.message == (
        "ConfigError: In the process of an attempt there is no bus to open."
    )


def test_a_result_that_is_no_json_fails_the_job(called):
    assert called("app.services.hello:odd").error.code == "bad_result"


@pytest.mark.parametrize("name", ["Popen", "os", "Thing", "thing", "later", "nothing"])
def test_what_a_module_holds_and_is_no_function_of_its_own_is_not_called(called, name):
    job = called(f"app.services.hello:{name}")

    assert (job.state, job.error.code) == (State.FAILED, "function_not_allowed")


def test_a_module_that_cannot_be_imported_fails_the_job_with_its_reason(called):
    job = called("app.services.nope:f")

    assert job.error.message == "ModuleNotFoundError: No module named 'app.services.nope'"


def test_the_attempt_itself_imports_nothing_that_is_not_allowed(workbench, called, tmp_path):
    workbench.registry.resolve("call_function").params._functions = Functions(["canary"])
    (tmp_path / "mine" / "canary.py").write_text(
        f"open({str(tmp_path / 'dead')!r}, 'w')\ndef sing(): return 1\n"
    )

    job = called("canary:sing")

    assert (job.state, job.error.code) == (State.FAILED, "function_not_allowed")
    assert not (tmp_path / "dead").exists()


REFUSED = [
    "os:system",
    "app:x",
    "app.servicesx:f",
    "app.services",
    "app.services:",
    ":f",
    "app.services:f:g",
    "app.services:f.g",
    "app.services..x:f",
    ".app.services:f",
    "app.services.hello:__init__",
    "app.services._private:f",
    "app/services:f",
    "app.services.hello:greet\n",
    "app.services.hello:gréet",
    "../app.services:f",
    "a" * 300 + ":f",
    "",
]


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_not_allowed_is_refused_at_the_door_and_when_it_is_registered(workbench, functions, path):
    with pytest.raises(InvalidParams, match=r"params\.function"):
        workbench.registry.resolve("call_function").validate({"function": path})
    with pytest.raises(InvalidRequest, match="function_path: "):
        functions.check(path)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "params.function: is required"),
        ({"function": 5}, "params.function: must be a JSON string"),
        ({"function": "app.services.hello:greet", "args": {}}, "params.args: must be a JSON array"),
        ({"function": "app.services.hello:greet", "kwargs": []}, "params.kwargs: must be a JSON object"),
        ({"function": "app.services.hello:greet", "more": 1}, "params.more: is no param of this action"),
    ],
)
def test_params_of_the_wrong_shape_are_refused(workbench, params, said):
    with pytest.raises(InvalidParams) as caught:
        workbench.registry.resolve("call_function").validate(params)

    assert said in caught.value.message


def test_without_an_allowed_package_there_is_no_such_action(tmp_path):
    (tmp_path / "actions").mkdir()
    registry = Registry(tmp_path / "actions", built_in=built_in(Functions()))
    registry.load()

    with pytest.raises(UnknownAction):
        registry.resolve("call_function")
    assert Functions().environment == {}


def test_a_function_that_is_there_may_be_registered(functions):
    functions.check("app.services.hello:greet")


def test_nothing_is_imported_by_checking(functions, tmp_path):
    import sys

    (tmp_path / "mine" / "app" / "services" / "hello.py").write_text("raise SystemExit\ndef greet(): ...\n")

    functions.check("app.services.hello:greet")

    assert not any(name.startswith("app.services") for name in sys.modules)


@pytest.mark.parametrize("path", ["app.services:f", "app.services.hello:greet", *REFUSED])
def test_the_schema_of_the_params_allows_what_is_allowed_and_nothing_else(workbench, functions, path):
    pattern = workbench.registry.resolve("call_function").schema["properties"]["function"]["pattern"]

    fits = re.search(pattern, path) is not None and len(path) <= 200

    assert fits == (functions.fault_of(path) is None) or path.endswith("\n")
