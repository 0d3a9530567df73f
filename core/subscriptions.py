"""Standing subscriptions: who is told of which events by webhook, from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from core.errors import BusError, ConfigError
from core.jobs import Json
from core.strict_json import BadJson, parse

_HINT = 'Write as in [{"url": "https://example.org/hook", "events": ["task.failed", "system.*"]}].'


@dataclass(frozen=True, slots=True)
class Subscription:
    """One receiver and what he wants to hear of."""

    url: str
    #: Patterns of event types, such as `task.*`.
    events: tuple[str, ...]

    def wants(self, event_type: str) -> bool:
        """Return whether one of the patterns fits. Events about webhooks never do: they would breed."""
        told = not event_type.startswith("webhook.")
        return told and any(fnmatchcase(event_type, pattern) for pattern in self.events)


def read_subscriptions(path: Path | None, check: Callable[[str], object]) -> tuple[Subscription, ...]:
    """Return the subscriptions of a JSON file, none without one.

    `check` raises for a URL that must not be called. Raises ConfigError that tells of all that is wrong.
    """
    if path is None:
        return ()
    try:
        entries = parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"AAFAI_WEBHOOKS: {path} cannot be read: {error.strerror}.") from error
    except BadJson as error:
        raise ConfigError(
            f"AAFAI_WEBHOOKS: {path}, line {error.line}: {error.message}", hint=_HINT
        ) from error
    if not isinstance(entries, list):
        raise ConfigError(f"AAFAI_WEBHOOKS: {path} holds no list.", hint=_HINT)
    problems = [
        f"AAFAI_WEBHOOKS: {path}, subscription {number}: {problem}"
        for number, entry in enumerate(entries, start=1)
        for problem in _problems(entry, check)
    ]
    if problems:
        raise ConfigError(*problems, hint=_HINT)
    return tuple(Subscription(entry["url"], tuple(entry["events"])) for entry in entries)


def _problems(entry: Json, check: Callable[[str], object]) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "it is no object."
        return
    if odd := sorted(entry.keys() ^ {"url", "events"}):
        yield f"{', '.join(map(repr, odd))} is missing or not known."
    yield from _url_problems(entry.get("url"), check)
    if not _are_patterns(entry.get("events")):
        yield "'events' is no list of patterns such as 'task.*'."


def _url_problems(url: Json, check: Callable[[str], object]) -> Iterator[str]:
    if not isinstance(url, str) or not url.isascii():
        yield "'url' is no URL."
        return
    try:
        check(url)
    except BusError as error:
        yield error.message


def _are_patterns(patterns: Json) -> bool:
    return isinstance(patterns, list) and bool(patterns) and all(isinstance(one, str) for one in patterns)
