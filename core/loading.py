"""One action file becomes an ActionSpec: it is imported, and its function's signature is read.

Whatever needs no action need not import this: pydantic, which reads signatures, is a third of a cold start.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from core.actions import ActionSpec, Form, ParamsReader, limits_of
from core.signature import reader_of


def load_file(path: Path, params: ParamsReader | None = None) -> ActionSpec:
    """Import one action file and return its action; raises whatever the file raises.

    `params` reads the params in place of the signature, which takes longer than all the rest.
    """
    stamp = stamp_of(path)
    module = _imported(path)
    run, execute = getattr(module, "run", None), getattr(module, "execute", None)
    if callable(run):
        return _spec(path, stamp, "run", run, params or reader_of(run))
    if callable(execute):
        return _spec(path, stamp, "execute", execute, params or ParamsReader())
    raise TypeError(f"{path.name} defines no run(…) function and no execute(…).")


def stamp_of(path: Path) -> str:
    """Return what changes with the file's content."""
    status = path.stat()
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def _spec(path: Path, stamp: str, form: Form, function: Any, params: ParamsReader) -> ActionSpec:
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__name__}() is async: write a plain function; it may call asyncio.run().")
    return ActionSpec(
        name=path.stem,
        description=inspect.getdoc(function) or inspect.getdoc(sys.modules[function.__module__]) or "",
        limits=limits_of(function),
        path=path,
        stamp=stamp,
        form=form,
        function=function,
        params=params,
    )


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
