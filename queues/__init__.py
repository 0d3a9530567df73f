"""Where jobs are stored and events carried, opened by URL. Only this room knows paths, SQL and Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.engine import Engine
from core.errors import ConfigError
from core.event_bus import LocalTransport, Transport
from core.schedule_store import MemorySchedules, ScheduleStore
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


def open_transport(url: str, **options: Any) -> Transport:
    """Open what carries events: `local:`, `journal:/absolute/folder`, `redis://…` or `rediss://…`.

    Nothing is touched before the first message. The options are those of the transport's class, which
    `local:` has none of. Raises ConfigError for a URL that names no transport.
    """
    scheme, colon, rest = url.partition(":")
    opener = _TRANSPORTS.get(scheme) if colon else None
    if opener is None:
        raise ConfigError(
            f"{url!r} carries no events.", hint="Use journal:/absolute/folder, redis://… or local:."
        )
    return opener(url, rest, options)


def open_schedules(url: str) -> ScheduleStore:
    """Open what keeps the schedules beside the jobs of that engine."""
    if url == "memory:":
        return MemorySchedules()
    from queues.schedules import FileSchedules  # noqa: PLC0415  A bus that runs in memory has no files.

    return FileSchedules(url.removeprefix("file:") + "/schedules")


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


def _open_journal(url: str, rest: str, options: dict[str, Any]) -> Transport:
    from queues.event_journal import EventJournal  # noqa: PLC0415

    if not rest.startswith("/"):
        raise ConfigError(f"{url!r} names no absolute folder.", hint="Write journal:/absolute/folder.")
    return EventJournal(rest.rstrip("/"), **options)


def _open_redis(url: str, rest: str, options: dict[str, Any]) -> Transport:
    try:
        from queues.event_redis import RedisEvents  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"AAFAI_EVENTS, or REDIS_URL in its place: the package {error.name} is not installed.",
            hint="pip install --require-hashes -r requirements-engines.txt, or AAFAI_EVENTS=journal:/folder",
        ) from error
    return RedisEvents(url, complain=options.get("complain", lambda sentence: None))


_TRANSPORTS: dict[str, Callable[[str, str, dict[str, Any]], Transport]] = {
    "local": lambda url, rest, options: LocalTransport(),
    "journal": _open_journal,
    "redis": _open_redis,
    "rediss": _open_redis,
}
