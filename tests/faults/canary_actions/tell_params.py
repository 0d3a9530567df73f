"""An action that tells its secrets in every way it has, and then fails once."""

from __future__ import annotations

import logging
import sys

from pydantic import SecretStr

from core import JobContext, action


@action(max_attempts=2)
def run(
    password: str, word: SecretStr, headers: dict[str, str], url: str, *, job: JobContext
) -> dict[str, object]:
    """Tell everything."""
    told = f"{password} {word.get_secret_value()} {headers} {url} {job.params!r}"
    job.info(told)
    job.progress(0.5, told)
    print(told)
    print(told, file=sys.stderr)
    logging.getLogger("library").error(told)
    if job.attempt == 1:
        raise RuntimeError(told)
    return {"told": told, password: [headers], "length": len(word.get_secret_value())}
