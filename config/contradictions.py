"""What no setting shows by itself: where two of them contradict each other, or a file contradicts one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from config import words
from config.setting import Found
from core.errors import ConfigError
from core.token_file import read_tokens


def contradictions(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield a sentence for each reason why the bus must not start with these settings."""
    texts = {env: known.text for env, known in found.items()}
    for env in ("QUEUE_BASE_PATH", "DOWNLOAD_DIR"):
        if texts["APP_ENV"] == "production" and texts[env] and not texts[env].startswith("/"):
            yield f"{env}: {texts[env]!r} is relative: production needs an absolute path."
    anonymous = texts["AAFAI_ALLOW_ANONYMOUS"].lower() in {"1", "true", "yes", "on"}
    if not (anonymous or words.is_loopback(texts["AAFAI_HOST"]) or _has_tokens(texts)):
        yield from doubts(found)
        yield (
            f"AAFAI_TOKEN: other machines can reach {texts['AAFAI_HOST']!r}, so clients need a token: set"
            " one, make one with ./bus token make, or set AAFAI_ALLOW_ANONYMOUS=1, if anybody may run jobs."
        )
    yield from _suspended(texts["AAFAI_POWER_SWITCH"], texts["AAFAI_WAKE_ALARM"])
    if found["NUM_INTERNAL_WORKERS"].source == found["AAFAI_SLOTS"].source == "environment":
        yield "AAFAI_SLOTS: it says how many jobs run at once, and so does NUM_INTERNAL_WORKERS: unset one."


def _suspended(switches: str, alarm: str) -> Iterator[str]:
    """Yield a sentence when Google's alarm would find a suspended machine that it cannot start."""
    ways = {switch.strip() for switch in switches.split(";")}
    if "gcp:suspend" not in ways or not alarm.startswith("gcp-"):
        return
    if alarm.startswith("gcp-schedule:"):
        yield (
            "AAFAI_WAKE_ALARM: an instance schedule starts no machine that is suspended: write"
            " gcp-scheduler:job, or gcp in AAFAI_POWER_SWITCH."
        )
    elif len(ways) > 1:
        yield (
            "AAFAI_WAKE_ALARM: the job either resumes a suspended machine or starts a stopped one: leave"
            " gcp:suspend alone in AAFAI_POWER_SWITCH, or out of it."
        )


def doubts(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield a sentence for what the bus will stumble over when it opens its files."""
    try:
        read_tokens(Path(found["AAFAI_TOKENS_FILE"].text))
    except ConfigError as error:
        yield error.message


def _has_tokens(texts: Mapping[str, str]) -> bool:
    """Return whether clients can have a token; from a file that cannot be taken they have none."""
    try:
        return bool(texts["AAFAI_TOKEN"] or read_tokens(Path(texts["AAFAI_TOKENS_FILE"])))
    except ConfigError:
        return False
