"""Every shell script of the repository is sound in the eyes of shellcheck, and may be run as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.house.sources import ROOT

#: Where scripts lie. Those of .venv and of other people's packages are none of ours.
FOLDERS = (".", ".ci", "tools", "examples", "examples/gcp", "examples/google_apps_script")


def is_script(path: Path) -> bool:
    """Return whether a file says in its first line that it is for a shell."""
    return path.is_file() and path.read_bytes()[:40].startswith((b"#!/bin/sh\n", b"#!/usr/bin/env bash\n"))


SCRIPTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).iterdir() if is_script(path))


def test_all_scripts_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SCRIPTS}

    assert names >= {"bus", ".ci/run", "tools/system-packages", "examples/curl.sh", "examples/gcp/deploy.sh"}
    assert set(ROOT.glob("examples/**/*.sh")) <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    shellcheck = needed("shellcheck", "shellcheck")

    done = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)

    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_may_be_run_and_says_what_it_does(script: Path) -> None:
    first, second, *_ = script.read_text().splitlines()

    assert os.access(script, os.X_OK)
    assert second.startswith("# "), first
