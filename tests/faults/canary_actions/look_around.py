"""An action that tells all that it can see of the server it runs for."""

from __future__ import annotations

import os
import sys

from core import action


@action()
def run() -> dict[str, object]:
    """Return the environment, the arguments and the names of the modules' globals that hold text."""
    held = {
        f"{name}.{key}": value
        for name, module in sys.modules.copy().items()
        for key, value in vars(module).copy().items()
        if isinstance(value, str) and not key.startswith("__")
    }
    return {"environment": dict(os.environ), "arguments": sys.argv, "held": held}
