"""Programs that tests make, in place of the machine's own."""

from __future__ import annotations

from pathlib import Path


def a_program(folder: Path, name: str, *lines: str) -> Path:
    """Make a shell script and return its path."""
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path
