"""Work that is done in a process of its own, which leaves another one behind."""

from core import JobContext, action
from tests.faults.shift_work import leave_something_running, work


@action(isolation="process", max_attempts=100)
def run(book: str, tag: str, seconds: float = 0.0, *, job: JobContext) -> str:
    """Write into the book, take so many seconds, and return the job's id."""
    leave_something_running()
    return work(job, book, seconds)
