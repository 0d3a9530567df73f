"""Call a function of a package that the operator has allowed: what scheduled tasks are made of."""

from __future__ import annotations

import importlib
import inspect
import os
import sys

from core import Fail, action
from core.functions import FOLDER_VARIABLE, FUNCTION, PACKAGES_VARIABLE, allowed_in
from core.jobs import Json


@action()
def run(function: str, args: list[Json] = [], kwargs: dict[str, Json] = {}) -> Json:  # noqa: B006
    """Import `package.module`, call its function and return what that returns, which must be JSON."""
    module, _, name = function.partition(":")
    packages = [package for package in os.environ.get(PACKAGES_VARIABLE, "").split(",") if package]
    if not FUNCTION.fullmatch(function) or not allowed_in(module, packages):
        raise Fail(f"{function!r} may not be called.", code="function_not_allowed")
    if folder := os.environ.get(FOLDER_VARIABLE):
        sys.path.insert(0, folder)
    found = getattr(importlib.import_module(module), name, None)
    # What a module has imported from elsewhere is not its own to lend.
    if not inspect.isfunction(found) or not allowed_in(found.__module__, packages):
        raise Fail(f"{module} has no function {name!r} of its own.", code="function_not_allowed")
    if inspect.iscoroutinefunction(found):
        raise Fail(f"{function} is async: write a plain function.", code="function_not_allowed")
    return found(*args, **kwargs)
