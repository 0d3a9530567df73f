"""Work in a thread of the server that does not heed anybody's wish that it stop."""

from core import JobContext, action
from tests.faults.shift_work import work


@action(isolation="thread", max_attempts=100)
def run(book: str, tag: str, seconds: float = 0.0, *, job: JobContext) -> str:
    """Write into the book, take so many seconds whatever happens, and return the job's id."""
    return work(job, book, seconds, heedless=True)
