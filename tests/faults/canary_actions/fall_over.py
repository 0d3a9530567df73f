"""An action that fails with all that it can see in its message."""

from __future__ import annotations

import os

from core import action


@action(max_attempts=1)
def run() -> None:
    """Raise an error."""
    raise RuntimeError(f"I have seen {dict(os.environ)}")
