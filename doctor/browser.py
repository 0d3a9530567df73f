"""Whether a browser and a driver are there that fit each other, if an action needs them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from actions._browser import BROWSERS
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

#: The queue of the actions that drive a browser.
_QUEUE = "browser"
#: Seconds that a program may take to say its version: a large one on a slow disk, started for the first time.
_PATIENCE = 30.0
_VERSION = re.compile(r"(\d+)(?:\.\d+){2,3}")

_MISSING = Kind(
    code="browser_missing",
    mark=Mark.PROBLEM,
    one="A program that a browser job needs is not installed",
    many="{n} programs that a browser job needs are not installed",
    why="Such a job fails.",
    remedy="tools/system-packages chromium chromedriver",
)
_DEAD = Kind(
    code="browser_does_not_start",
    mark=Mark.PROBLEM,
    one="A program that a browser job needs does not start",
    many="{n} programs that a browser job needs do not start",
    why="Such a job fails.",
    remedy="sudo apt-get install --reinstall chromium chromium-driver",
)
_UNLIKE = Kind(
    code="browser_and_driver_differ",
    mark=Mark.PROBLEM,
    one="The browser and its driver are of different versions",
    why="A driver drives browsers of its own major version only, so browser jobs fail.",
    remedy="sudo apt-get install --only-upgrade chromium chromium-driver, or set AAFAI_CHROMEDRIVER",
)


def check_browser(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what keeps the actions that need a browser from having one."""
    if not _is_needed(patient):
        yield "no action needs one"
        return
    driver = patient.config.chromedriver
    versions: list[re.Match[str]] = []
    for names in (BROWSERS, (driver,)):
        path = next(filter(None, map(shutil.which, names)), None)
        if path is None:
            yield Flaw(_MISSING, " or ".join(names))
            continue
        said, version = _version_of(path)
        if version is None:
            yield Flaw(_DEAD, path, said)
            continue
        versions.append(version)
        yield f"{path} {version[0]}"
    if len(versions) == 2 and versions[0][1] != versions[1][1]:
        yield Flaw(_UNLIKE, detail=f"browser {versions[0][0]}, driver {versions[1][0]}")


def _is_needed(patient: Patient) -> bool:
    try:
        specs = patient.registry.actions.values()
    except OSError:
        return False
    return patient.config.slots.get(_QUEUE, 1) > 0 and any(spec.limits.queue == _QUEUE for spec in specs)


def _version_of(path: str) -> tuple[str, re.Match[str] | None]:
    """Return what a program says of its version, and the version in it if it has ended well."""
    try:
        ran = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"It did not say its version within {_PATIENCE:g} seconds.", None
    except OSError as error:
        return error.strerror or str(error), None
    if ran.returncode != 0:
        said = " ".join((ran.stderr or ran.stdout).split())[-200:]
        return f"It ended with status {ran.returncode}: {said}", None
    return ran.stdout.strip(), _VERSION.search(ran.stdout)
