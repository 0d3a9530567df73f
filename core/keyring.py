"""The tokens in force: those of the file, which is read again when it has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError
from core.token_file import Tokens, read_tokens
from core.tokens import Token

if TYPE_CHECKING:
    from core.clock import Clock

_PERIOD = 1.0  # seconds between two looks at the file


class Keyring:
    """Find tokens by their ids. What is changed in the file holds within a second. Any thread may ask."""

    def __init__(self, path: Path, clock: Clock, *, tell: Callable[[str], object]) -> None:
        """Read the file; `tell` hears of one that cannot be taken later. Raises ConfigError for one now."""
        self._path = path
        self._clock = clock
        self._tell = tell
        self._told = ""
        self._stamp = _stamp_of(path)
        self._looked_at = clock.monotonic()
        found = read_tokens(path)
        self._tokens: Tokens = found or {}
        self._is_in_force = found is not None

    @property
    def is_in_force(self) -> bool:
        """Whether there is a file, or has been one: whoever loses it must not open the bus to everybody."""
        self._look()
        return self._is_in_force

    def find(self, key_id: str) -> Token | None:
        """Return the token of that id; None when there is none, or none any more."""
        self._look()
        return self._tokens.get(key_id)

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_at < _PERIOD:
            return
        self._looked_at = now
        stamp = _stamp_of(self._path)
        if stamp != self._stamp:
            self._read(stamp)

    def _read(self, stamp: object) -> None:
        """Take the file as it is now; one that cannot be taken changes nothing, and is looked at again."""
        try:
            found = read_tokens(self._path)
        except ConfigError as error:
            self._tell_once(f"{error.message} The tokens that it held before remain in force.")
            return
        # What was replaced between the stamp and the reading has another stamp at the next look.
        self._stamp, self._told = stamp, ""
        self._tokens = found or {}
        self._is_in_force = self._is_in_force or found is not None

    def _tell_once(self, message: str) -> None:
        if message != self._told:
            self._told = message
            self._tell(message)


def _stamp_of(path: Path) -> object:
    """Return what changes with the file, its mode included; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
