"""The books of a crew: what its workers say that they did, held against what the queue says became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from core.engine import Engine
from core.jobs import State
from tests.faults.crew import Crew, waited_for
from tests.faults.events import Event

#: What must never happen, in Jepsen's words for a queue and in those of a crew.
FAULTS = {
    "lost": "submitted, and not among the jobs that succeeded",
    "duplicated": "jobs that were ended twice",
    "unexpected": "jobs that somebody ran and nobody submitted",
    "rescued": "jobs that ran more often than their workers died",
    "robbed": "claims taken from a living worker",
}

_COUNT_EVERY = 0.1  # seconds: counting lists folders, which takes time from those who work


def accounts(crew: Crew, engine: Engine, job_ids: Collection[str]) -> Counter[str]:
    """Return what became of the jobs: counts, and faults that ought to be zero."""
    events = [event for hand in crew.hands for event in hand.events()]
    runs, ends = _of(events, "started"), _of(events, "ended")
    deaths = Counter(hand.unfinished() for hand in crew.hands if hand.killed_ns)
    return Counter(
        jobs=len(job_ids),
        runs=runs.total(),
        kills=sum(1 for hand in crew.hands if hand.killed_ns),
        kills_in_a_job=sum(1 for job_id in deaths.elements() if job_id),
        lost=len(job_ids) - engine.count()[State.SUCCEEDED],
        duplicated=sum(1 for number in ends.values() if number > 1),
        unexpected=len(set(runs) - set(job_ids)),
        rescued=sum(1 for job_id, number in runs.items() if number > 1 + deaths[job_id]),
        robbed=_of(events, "robbed").total(),
    )


def faults_in(books: Counter[str]) -> dict[str, int]:
    """Return the figures that ought to be zero and are not."""
    return {name: books[name] for name in FAULTS if books[name]}


def runs_of(job_ids: Collection[str], crew: Crew) -> Counter[str]:
    """Return how often each of these jobs was started so far."""
    events = (event for hand in crew.hands for event in hand.events())
    return Counter(event.job_id for event in events if event.kind == "started" and event.job_id in job_ids)


def seconds_to_notice(crew: Crew) -> list[float]:
    """Return, for each death in the middle of a job, how long until the job ran again; the shortest first."""
    starts = [event for hand in crew.hands for event in hand.events() if event.kind == "started"]
    dead = [hand for hand in crew.hands if hand.killed_ns and hand.unfinished()]
    noticed = [_next_start(starts, hand.unfinished(), hand.killed_ns) for hand in dead]
    return sorted((at_ns - hand.killed_ns) / 1e9 for at_ns, hand in zip(noticed, dead, strict=True) if at_ns)


def all_ended(engine: Engine, number: int, *, seconds: float = 60.0) -> bool:
    """Wait until so many jobs have succeeded; return whether they have."""
    return waited_for(lambda: engine.count()[State.SUCCEEDED] >= number, seconds=seconds, glance=_COUNT_EVERY)


def _of(events: list[Event], kind: str) -> Counter[str]:
    return Counter(event.job_id for event in events if event.kind == kind)


def _next_start(starts: list[Event], job_id: str | None, after_ns: int) -> int:
    later = [event.at_ns for event in starts if event.job_id == job_id and event.at_ns > after_ns]
    return min(later, default=0)
