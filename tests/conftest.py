"""What tests need of this machine (absent, they skip at home and fail in CI), and what they prove."""

from __future__ import annotations

import os
import shutil
from typing import Protocol

import pytest

from tests.faults.evidence import Figure, Proof, at_whole_effort, record


class Effort(Protocol):
    """Chooses how many trials a test makes."""

    def __call__(self, short: int, whole: int) -> int: ...


class Evidence(Protocol):
    """Takes down what a test counted for a promise."""

    def __call__(self, promise: str, what: str, *, trials: int, **figures: Figure) -> None: ...


def needed(program: str, package: str) -> str:
    """Return the path of a program; skip the test without it, or fail it in CI."""
    path = shutil.which(program)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{program} is missing: tools/system-packages should have installed {package}")
    if path is None:
        pytest.skip(f"{program} is not installed (Debian package {package})")
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `make torture` run only the tests that show that a promise is kept."""
    if not at_whole_effort():
        return
    shown = [item for item in items if "evidence" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in shown])
    items[:] = shown


@pytest.fixture
def browser() -> str:
    """The path of Chromium, its driver being there too."""
    needed("chromedriver", "chromium-driver")
    return needed("chromium", "chromium")


@pytest.fixture
def effort() -> Effort:
    """How many trials to make: few in `make test`, many under `make torture`."""
    return lambda short, whole: whole if at_whole_effort() else short


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Take down what a test counted for a promise; it still asserts its conditions itself."""
    test: str = request.node.nodeid

    def take_down(promise: str, what: str, *, trials: int, **figures: Figure) -> None:
        record(Proof(promise=promise, what=what, trials=trials, test=test, figures=figures))

    return take_down
