"""The job that every measured queue is given, run in a thread."""

from benchmarks.peers.noop import noop
from core import action


@action(isolation="thread")
def run(number: int, text: str) -> dict[str, int | str]:
    """Note the moment and return the arguments."""
    return noop(number, text)
