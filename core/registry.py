"""Finds actions in a folder: name, description, schema of the params, limits. Broken files harm no other."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import inspect
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from core.actions import ActionSpec, Form, ParamsReader, limits_of
from core.errors import BrokenAction, InvalidRequest, UnknownAction
from core.signature import reader_of

#: What an action may be called.
ACTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Registry:
    """The actions of one folder: every `*.py` in it whose name does not begin with `_`."""

    def __init__(self, folder: Path, *, import_timeout: float = 10.0) -> None:
        self._folder = folder
        self._import_timeout = import_timeout
        self._actions: dict[str, ActionSpec] = {}
        self._broken: dict[str, str] = {}

    @property
    def actions(self) -> Mapping[str, ActionSpec]:
        """The actions that can be run, by name."""
        return MappingProxyType(self._actions)

    @property
    def broken(self) -> Mapping[str, str]:
        """Why the others cannot: one sentence, by the stem of the file's name."""
        return MappingProxyType(self._broken)

    def load(self) -> None:
        """Import every action of the folder anew. Raises OSError when the folder cannot be listed."""
        loaded: dict[str, ActionSpec] = {}
        broken: dict[str, str] = {}
        for path in sorted(self._folder.iterdir()):
            if path.suffix != ".py" or path.name.startswith(("_", ".")):
                continue
            outcome = self._loaded(path)
            if isinstance(outcome, ActionSpec):
                loaded[outcome.name] = outcome
            else:
                broken[path.stem] = outcome
        self._actions, self._broken = loaded, broken

    def resolve(self, name: str) -> ActionSpec:
        """Return the action of that name. Raises InvalidRequest, UnknownAction or BrokenAction.

        The name is looked up and nothing else: no string of a request ever reaches an import.
        """
        if not ACTION_NAME.fullmatch(name):
            raise InvalidRequest("action", f"must match {ACTION_NAME.pattern}.", code="bad_name")
        if spec := self._actions.get(name):
            return spec
        if name in self._broken:
            raise BrokenAction(name, self._broken[name])
        nearest = difflib.get_close_matches(name, self._actions, n=1)
        raise UnknownAction(name, nearest=nearest[0] if nearest else None)

    def _loaded(self, path: Path) -> ActionSpec | str:
        if not ACTION_NAME.fullmatch(path.stem):
            return f"Its file name must match {ACTION_NAME.pattern} and end in .py."
        outcomes: list[ActionSpec | str] = []
        # A thread, because an import that hangs can be left behind but not stopped.
        thread = threading.Thread(
            target=lambda: outcomes.append(_tried(path)), name=f"import {path.stem}", daemon=True
        )
        thread.start()
        thread.join(self._import_timeout)
        return outcomes[0] if outcomes else f"Its import took longer than {self._import_timeout:g} seconds."


def load_file(path: Path) -> ActionSpec:
    """Import one action file and return its action; raises whatever the file raises."""
    module = _imported(path)
    run, execute = getattr(module, "run", None), getattr(module, "execute", None)
    if callable(run):
        return _spec(path, "run", run, reader_of(run))
    if callable(execute):
        return _spec(path, "execute", execute, ParamsReader())
    raise TypeError(f"{path.name} defines no run(…) function and no execute(…).")


def last_line(error: BaseException) -> str:
    """Return the type of an error and the first line of what it says."""
    said = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _spec(path: Path, form: Form, function: Any, params: ParamsReader) -> ActionSpec:
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__name__}() is async: write a plain function; it may call asyncio.run().")
    return ActionSpec(
        name=path.stem,
        description=inspect.getdoc(function) or inspect.getdoc(sys.modules[function.__module__]) or "",
        schema=params.schema,
        limits=limits_of(function),
        path=path,
        form=form,
        function=function,
        params=params,
    )


def _tried(path: Path) -> ActionSpec | str:
    try:
        return load_file(path)
    except BaseException as error:  # noqa: BLE001  An import may raise anything, SystemExit too.
        return f"Its file could not be loaded: {last_line(error)}"


def _imported(path: Path) -> ModuleType:
    """Import a file under a private name made of its path, in a private package: the folder."""
    digest = hashlib.sha256(bytes(path.parent.resolve())).hexdigest()[:12]
    package = f"_actions_{digest}"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(path.parent)]
    name = f"{package}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
