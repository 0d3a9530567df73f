"""The demonstration is what a newcomer runs first, so it must work."""

import subprocess
import sys

import pytest

from examples.running import ROOT

pytestmark = pytest.mark.alone


def test_the_demo_fetches_a_page_that_only_a_browser_can_read_and_stops_cleanly(browser):
    ended = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Written by a script in a real browser: 42" in ended.stdout
    for place in ("inbound/q-browser/p5/", "running/", "outbound/", '"reasons"', "exit status 0"):
        assert place in ended.stdout
