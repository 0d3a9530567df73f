"""Finds the services of a folder: each `*.py` in it that makes an MLService. Broken files harm no other."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from api.ml_service import MLService


def load_services(folder: Path) -> tuple[list[MLService], list[str]]:
    """Return the services that the files of a folder make, and why others cannot be offered."""
    services: dict[str, MLService] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("[!_.]*.py")):
        try:
            for service in _made_by(path):
                if services.setdefault(service.name, service) is not service:
                    raise ValueError(f"another file makes a service named {service.name!r} too")
        except Exception as error:  # noqa: BLE001  An import may raise anything.
            problems.append(f"The service file {path} could not be loaded: {type(error).__name__}: {error}")
    return list(services.values()), problems


def _made_by(path: Path) -> Iterator[MLService]:
    found = [value for value in vars(_imported(path)).values() if isinstance(value, MLService)]
    if not found:
        raise ValueError("it makes no MLService")
    yield from found


def _imported(path: Path) -> ModuleType:
    name = f"_services.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it cannot be imported")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
