"""Whose settings hold: those of this shell, of the running bus, or of the installed service."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from config import Config, settings
from core.errors import ConfigError
from doctor.living import buses_on, environment_of

#: Where docs/deploy.md installs the service.
UNIT = Path("/etc/systemd/system/aafai-bus.service")


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """The settings that go with a queue's folder."""

    config: Config
    #: Where they were found, in words.
    source: str
    #: What is wrong with them; `config` is then what holds without the wrong ones.
    problems: tuple[str, ...] = ()

    @property
    def folder(self) -> str | None:
        """The folder of the queue; None when the jobs are kept elsewhere."""
        scheme, _, rest = self.config.engine.partition(":")
        return rest if scheme == "file" else None


def find_surroundings(
    environ: Mapping[str, str], *, folder: str | None = None, unit: Path = UNIT
) -> Surroundings:
    """Return the settings of this shell if it has any, else of the bus on the folder, else of the service.

    `folder` is the one that was asked for, an absolute path; it goes before that of the settings, and
    settings that were found for another folder are then not taken.
    """
    shell = _read(environ, "this shell")
    if any(environ.get(known.env, "").strip() for known in settings()):
        return _moved(shell, environ, folder)
    installed = _installed(environ, unit)
    chosen = folder or (installed or shell).folder
    running = (_read(environment_of(pid), f"the running bus (process {pid})") for pid in _buses(chosen))
    for found in (*running, installed):
        if found is not None and _same(found.folder, chosen):
            return found
    return _moved(shell, environ, folder)


def _buses(folder: str | None) -> Iterable[int]:
    return buses_on(folder) if folder is not None else ()


def _moved(found: Surroundings, environ: Mapping[str, str], folder: str | None) -> Surroundings:
    """Return the settings with another folder in place of theirs."""
    if folder is None or _same(folder, found.folder):
        return found
    return _read({**environ, "QUEUE_BASE_PATH": folder, "AAFAI_ENGINE": f"file:{folder}"}, found.source)


def _same(one: str | None, other: str | None) -> bool:
    """Return whether two paths lead to the same folder."""
    return one is not None and other is not None and os.path.realpath(one) == os.path.realpath(other)


def _read(environ: Mapping[str, str], source: str) -> Surroundings:
    try:
        return Surroundings(config=Config.load(environ), source=source)
    except ConfigError as error:
        problems = error.problems
    wrong = {problem.partition(":")[0] for problem in problems}
    rest = {name: value for name, value in environ.items() if name not in wrong}
    # A missing token is a mistake that concerns nothing in the folder.
    for fallback in (rest | {"AAFAI_ALLOW_ANONYMOUS": "1"}, {}):
        try:
            return Surroundings(config=Config.load(fallback), source=source, problems=problems)
        except ConfigError:
            continue
    raise AssertionError("The defaults hold.")


def _installed(environ: Mapping[str, str], unit: Path) -> Surroundings | None:
    """Return the settings of the installed service; None when none is installed."""
    try:
        text = unit.read_text(errors="replace").replace("\\\n", " ")
    except OSError:
        return None
    keys = [line.partition("=") for line in text.splitlines()]
    variables = dict(_assignments(value for key, _, value in keys if key == "Environment"))
    unread = []
    for path in (Path(value.removeprefix("-")) for key, _, value in keys if key == "EnvironmentFile"):
        try:
            variables |= _assignments(path.read_text(errors="replace").splitlines())
        except FileNotFoundError:
            continue
        except OSError as error:
            unread.append(f"{path}: it cannot be read ({error.strerror}), so what it sets is not known.")
    found = _read({**environ, **variables}, unit.name)
    return replace(found, problems=(*found.problems, *unread))


def _assignments(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield names and values of lines such as `NAME=value "OTHER=two words"`; comments are skipped."""
    for line in lines:
        if line.lstrip().startswith(("#", ";")):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                yield name, value
