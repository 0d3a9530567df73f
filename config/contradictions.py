"""What no single setting shows: settings that contradict each other, or what they are for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config import words
from config.setting import Found


def contradictions(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield one sentence for each contradiction in what is written, by environment variable."""
    texts = {env: known.text for env, known in found.items()}
    for env in ("QUEUE_BASE_PATH", "DOWNLOAD_DIR"):
        if texts["APP_ENV"] == "production" and texts[env] and not texts[env].startswith("/"):
            yield f"{env}: {texts[env]!r} is relative: production needs an absolute path."
    anonymous = texts["AAFAI_ALLOW_ANONYMOUS"].lower() in {"1", "true", "yes", "on"}
    if not (texts["AAFAI_TOKEN"] or anonymous or words.is_loopback(texts["AAFAI_HOST"])):
        yield (
            f"AAFAI_TOKEN: other machines can reach {texts['AAFAI_HOST']!r}, so clients need a token: set one"
            " or AAFAI_ALLOW_ANONYMOUS=1, if anybody may run jobs."
        )
    if found["NUM_INTERNAL_WORKERS"].source == found["AAFAI_SLOTS"].source == "environment":
        yield "AAFAI_SLOTS: it says how many jobs run at once, and so does NUM_INTERNAL_WORKERS: unset one."
