"""The job that every measured queue is given, run in a process of its own."""

from benchmarks.peers.noop import noop
from core import action


@action(isolation="process")
def run(number: int, text: str) -> dict[str, int | str]:
    """Note the moment and return the arguments."""
    return noop(number, text)
