"""What tests need of this machine: absent, they skip with a reason at home and fail in CI."""

import os
import shutil

import pytest


def needed(program: str, package: str) -> str:
    """Return the path of a program; skip the test without it, or fail it in CI."""
    path = shutil.which(program)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{program} is missing: tools/system-packages should have installed {package}")
    if path is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return path


@pytest.fixture
def browser() -> str:
    """The path of Chromium, its driver being there too."""
    needed("chromedriver", "chromium-driver")
    return needed("chromium", "chromium")
