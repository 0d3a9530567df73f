"""Functions of the operator's own packages, as jobs may call them: `package.module:function`.

Nothing is imported here: a function is looked for by reading files, and called only in an attempt's process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.actions import ParamsReader
from core.errors import InvalidParams, InvalidRequest, Problem
from core.jobs import Json

#: The action that calls a function, and the folder where it lies. It exists where a package is allowed.
CALL_FUNCTION = "call_function"
FOLDER = Path(__file__).parent / "built_in"
#: By which an attempt's process knows them: the packages with commas between, and the folder they lie in.
PACKAGES_VARIABLE, FOLDER_VARIABLE = "AAFAI_TASK_PACKAGES", "AAFAI_TASKS_FOLDER"

_WORD = "[A-Za-z][A-Za-z0-9_]*"
#: `package.module:function`; what begins with `_` is nobody else's business.
FUNCTION = re.compile(rf"{_WORD}(?:\.{_WORD})*:{_WORD}")

_LONGEST = 200
#: Its params: what Python calls their type, and what JSON does.
_FIELDS: Mapping[str, tuple[type, str]] = {
    "function": (str, "string"),
    "args": (list, "array"),
    "kwargs": (dict, "object"),
}


class Functions:
    """Know which functions may be called."""

    def __init__(self, packages: Sequence[str] = (), folder: Path | None = None) -> None:
        """Allow the functions of these packages, which lie in a folder or where Python finds them."""
        self.packages = tuple(packages)
        self._folder = folder

    @property
    def environment(self) -> dict[str, str]:
        """What tells an attempt's process the same."""
        if not self.packages:
            return {}
        return {PACKAGES_VARIABLE: ",".join(self.packages), FOLDER_VARIABLE: str(self._folder or "")}

    def fault_of(self, path: str) -> str | None:
        """Return why a function must not be called, in a clause that follows its field; None when it may."""
        if len(path) > _LONGEST or not FUNCTION.fullmatch(path):
            return "must name a function, as in 'package.module:function'."
        if allowed_in(path.partition(":")[0], self.packages):
            return None
        known = f"Allowed are {', '.join(self.packages)}" if self.packages else "None is allowed yet"
        return f"names a package that is not allowed. {known}: see {PACKAGES_VARIABLE}."

    def check(self, path: str) -> None:
        """Raise InvalidRequest unless the function may be called, and is there as far as its file tells."""
        from core.function_source import absence_of  # noqa: PLC0415  Parsing Python is for those who register.

        if fault := self.fault_of(path) or absence_of(path, self._folder):
            raise InvalidRequest("function_path", fault, code="bad_schedule")


def built_in(functions: Functions) -> dict[Path, ParamsReader]:
    """Return the file of `call_function` and who reads its params; nothing where no package is allowed."""
    return {FOLDER / f"{CALL_FUNCTION}.py": FunctionReader(functions)} if functions.packages else {}


class FunctionReader(ParamsReader):
    """Read the params of `call_function`: at the door, and again before each attempt."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    @property
    def schema(self) -> Mapping[str, Json]:
        """JSON Schema of the params."""
        packages = "|".join(map(re.escape, self._functions.packages))
        return {
            "title": "params",
            "type": "object",
            "properties": {
                "function": {
                    "type": "string",
                    "pattern": f"^({packages})(\\.{_WORD})*:{_WORD}$",
                    "description": "`package.module:function` of an allowed package.",
                },
                "args": {"type": "array", "default": []},
                "kwargs": {"type": "object", "default": {}},
            },
            "required": ["function"],
            "additionalProperties": False,
        }

    def checked(self, action: str, params: Mapping[str, Json]) -> dict[str, Json]:
        """Return the params. Raises InvalidParams in the name of the action."""
        problems = [Problem(f"params.{name}", fault) for name, fault in self._faults(params)]
        if problems:
            raise InvalidParams(action, problems)
        return dict(params)

    def arguments(self, action: str, params: Mapping[str, Json]) -> dict[str, Any]:
        """Return what the action is called with. Raises InvalidParams."""
        return {"args": [], "kwargs": {}, **self.checked(action, params)}

    def _faults(self, params: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
        for name, value in params.items():
            if name not in _FIELDS:
                yield name, f"is no param of this action; it takes: {', '.join(_FIELDS)}"
            elif not isinstance(value, _FIELDS[name][0]):
                yield name, f"must be a JSON {_FIELDS[name][1]}"
        if "function" not in params:
            yield "function", "is required"
        elif isinstance(params["function"], str) and (fault := self._functions.fault_of(params["function"])):
            yield "function", fault.rstrip(".")


def allowed_in(module: str, packages: Sequence[str]) -> bool:
    """Return whether a module is one of the packages, or lies in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
