"""Where jobs are stored: one engine, opened by its URL. Only this room knows paths, SQL and Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.engine import Engine
from core.errors import ConfigError
from queues.memory import MemoryEngine

_LATER = {"postgresql", "redis"}


def open_engine(url: str, **options: Any) -> Engine:
    """Open the engine that a URL names: `memory:` or `file:/absolute/path`.

    The options are those of the engine's class. Raises ConfigError for a URL that names no engine.
    """
    scheme, colon, rest = url.partition(":")
    if scheme in _LATER:
        raise ConfigError(
            f"The engine {scheme}: comes with a later version.", hint="Use file:/absolute/path."
        )
    maker = _MAKERS.get(scheme) if colon else None
    if maker is None:
        raise ConfigError(f"{url!r} names no engine.", hint="Use file:/absolute/path or memory:.")
    try:
        return maker(rest, options)
    except TypeError as error:
        raise ConfigError(f"The engine {scheme}: does not know an option: {error}") from error


def _open_memory(rest: str, options: dict[str, Any]) -> Engine:
    if rest.strip("/"):
        raise ConfigError("memory: takes no path.", hint="Write just memory:.")
    return MemoryEngine(**options)


def _open_file(rest: str, options: dict[str, Any]) -> Engine:
    # A bus that runs in memory need not load the file engine.
    from queues.file.engine import FileEngine  # noqa: PLC0415
    from queues.file.options import FileOptions  # noqa: PLC0415

    return FileEngine(rest, FileOptions(**options))


_MAKERS: dict[str, Callable[[str, dict[str, Any]], Engine]] = {"memory": _open_memory, "file": _open_file}
