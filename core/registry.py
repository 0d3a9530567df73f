"""Finds actions in a folder, and imports each when it is first asked for. Broken files harm no other."""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from core.actions import ActionSpec, ParamsReader
from core.errors import BrokenAction, InvalidRequest, UnknownAction
from core.outcome import last_line

#: What an action may be called.
ACTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Registry:
    """The actions of one folder: every `*.py` in it whose name does not begin with `_`.

    Finding them is quick; importing them is not, so a bus accepts jobs before it has imported them all.
    """

    def __init__(
        self,
        folder: Path,
        *,
        import_timeout: float = 10.0,
        built_in: Mapping[Path, ParamsReader | None] | None = None,
    ) -> None:
        self._folder = folder
        self._import_timeout = import_timeout
        #: Files elsewhere that are actions too, and who reads the params of each. The folder's own go first.
        self._built_in = built_in or {}
        self._files: dict[str, _File] = {}

    @property
    def actions(self) -> Mapping[str, ActionSpec]:
        """The actions that were imported and can be run, by name."""
        return {name: spec for name, spec in self._outcomes() if isinstance(spec, ActionSpec)}

    @property
    def broken(self) -> Mapping[str, str]:
        """Why others cannot be run: one sentence, by the stem of the file's name."""
        return {name: reason for name, reason in self._outcomes() if isinstance(reason, str)}

    def find(self) -> None:
        """List the action files anew; none is imported yet. Raises OSError when that cannot be done."""
        own = [
            path
            for path in sorted(self._folder.iterdir())
            if path.suffix == ".py" and not path.name.startswith(("_", "."))
        ]
        found = {**self._built_in, **dict.fromkeys(own)}
        self._files = {path.stem: _File(path, self._import_timeout, reader) for path, reader in found.items()}

    def load(self) -> None:
        """Find the action files and import every one of them anew; raises as `find`."""
        self.find()
        self.load_found()

    def load_found(self) -> None:
        """Import every action file that was found and is not imported yet."""
        for file in self._files.values():
            file.load()

    def resolve(self, name: str) -> ActionSpec:
        """Return the action of that name. Raises InvalidRequest, UnknownAction or BrokenAction.

        The name is looked up and nothing else: no string of a request ever reaches an import.
        """
        if not ACTION_NAME.fullmatch(name):
            raise InvalidRequest("action", f"must match {ACTION_NAME.pattern}.", code="bad_name")
        file = self._files.get(name)
        if file is None:
            nearest = difflib.get_close_matches(name, self._files.keys() - self.broken.keys(), n=1)
            raise UnknownAction(name, nearest=nearest[0] if nearest else None)
        outcome = file.load()
        if isinstance(outcome, ActionSpec):
            return outcome
        raise BrokenAction(name, outcome)

    def _outcomes(self) -> list[tuple[str, ActionSpec | str | None]]:
        return [(name, file.outcome) for name, file in self._files.items()]


class _File:
    """One action file, imported once, by whoever needs it first; others who need it wait for that."""

    def __init__(self, path: Path, import_timeout: float, reader: ParamsReader | None) -> None:
        self._path = path
        self._import_timeout = import_timeout
        self._reader = reader
        self._lock = threading.Lock()
        #: The action, or in one sentence why there is none; None before the file was imported.
        self.outcome: ActionSpec | str | None = None

    def load(self) -> ActionSpec | str:
        """Return the outcome, for which the file is imported unless it was already."""
        with self._lock:
            if self.outcome is None:
                self.outcome = self._imported()
            return self.outcome

    def _imported(self) -> ActionSpec | str:
        if not ACTION_NAME.fullmatch(self._path.stem):
            return f"Its file name must match {ACTION_NAME.pattern} and end in .py."
        from core.loading import load_file  # noqa: PLC0415  It brings pydantic, for which no start waits.

        outcomes: list[ActionSpec | str] = []
        # A thread, because an import that hangs can be left behind but not stopped.
        thread = threading.Thread(
            target=lambda: outcomes.append(_tried(lambda: load_file(self._path, self._reader))),
            name=f"import {self._path.stem}",
            daemon=True,
        )
        thread.start()
        thread.join(self._import_timeout)
        return outcomes[0] if outcomes else f"Its import took longer than {self._import_timeout:g} seconds."


def _tried(load: Callable[[], ActionSpec]) -> ActionSpec | str:
    try:
        spec = load()
        _ = spec.schema  # Made now, so that one that cannot be made is reported now.
    except BaseException as error:  # noqa: BLE001  An import may raise anything, SystemExit too.
        return f"Its file could not be loaded: {last_line(error)}"
    return spec
