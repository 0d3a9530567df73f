"""The audit of a site: what clients were told, held against the records and the book of the actions."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.faults.crew import waited_for
from tests.faults.crew_clients import Clients
from tests.faults.crew_server import Site
from tests.faults.events import heard
from tests.faults.shift_clock import LeadingClock

#: What must never happen, in Jepsen's words for a queue where it has one.
FAULTS = {
    "lost": "acknowledged, and no record is left of it",
    "stuck": "acknowledged, and not ended",
    "torn": "records that are no whole JSON",
    "duplicated": "submissions that became two jobs",
    "unexpected": "jobs that nobody submitted",
    "failed": "jobs that did not succeed",
    "rerun": "jobs that ran more often than processes of theirs were ended",
}


@dataclass
class Records:
    """What lies in the folders of a queue."""

    #: Job id to the whole record of a job that has ended, or has not.
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    torn: int = 0


def records_of(site: Site) -> Records:
    """Read every record of a site on which nothing moves."""
    found = Records()
    for top in ("inbound", "scheduled", "running", "outbound"):
        into = found.ended if top == "outbound" else found.waiting
        for path in (site.queues / top).rglob("*.json"):
            try:
                document = json.loads(path.read_bytes())
            except FileNotFoundError:
                continue  # of two records of an ended job, the first was removed just now
            except ValueError:
                found.torn += 1
            else:
                into[document["id"]] = document
    return found


def audit(site: Site, clients: Clients) -> Counter[str]:
    """Return what became of all that was submitted: counts, and faults that ought to be zero."""
    records = records_of(site)
    tags: dict[str, set[str]] = defaultdict(set)
    for job_id, record in (records.waiting | records.ended).items():
        tags[record["params"]["tag"]].add(job_id)
    kept = set(clients.kept.values())
    return Counter(
        acknowledged=len(kept),
        recovered=len(set(tags) & clients.tried - set(clients.kept)),
        cut_off=len(clients.cut_off),
        killed=site.kills,
        lost=len(kept - set(records.ended) - set(records.waiting)),
        stuck=len(set(records.waiting) - set(records.ended)),
        torn=records.torn,
        duplicated=sum(1 for job_ids in tags.values() if len(job_ids) > 1),
        unexpected=len(set(tags) - clients.tried),
        failed=sum(1 for record in records.ended.values() if record["state"] != "succeeded"),
        rerun=sum(1 for job_id, runs in runs_of(site).items() if len(runs) > 1 + sum(runs)),
    )


def started_early(site: Site, clients: Clients, clock: LeadingClock) -> int:
    """Return how many runs began although the clock had never shown that they were due."""
    early = 0
    for event in heard(site.book.read_bytes()):
        if event.kind == "started" and event.job_id in clients.dues:
            since, due = clients.dues[event.job_id]
            early += not clock.has_shown(due, since=since, until=event.at_ns / 1e9)
    return early


def recorded_early(site: Site, clients: Clients) -> int:
    """Return how many jobs have a record that says that they began before they were due."""
    begun = {job_id: record["started_at"] for job_id, record in records_of(site).ended.items()}
    return sum(1 for job_id, (_, due) in clients.dues.items() if begun.get(job_id, due) < due)


def runs_of(site: Site) -> dict[str, list[bool]]:
    """Return, by job, one entry for each of its runs: whether the test has ended a process of that run."""
    runs: dict[str, list[bool]] = defaultdict(list)
    for event in heard(site.book.read_bytes()):
        if event.kind == "started":
            lineage = set(map(int, event.detail.split(",")))
            runs[event.job_id].append(bool(lineage & site.dead))
    return runs


def punished(site: Site) -> int:
    """Return how many jobs have a record that says that an attempt of theirs was lost or failed."""
    records = records_of(site).ended.values()
    return sum(1 for record in records if record["attempt"] != 1 or record.get("errors"))


def faults_in(books: Counter[str]) -> dict[str, int]:
    """Return the figures that ought to be zero and are not."""
    return {name: books[name] for name in FAULTS if books[name]}


def all_over(site: Site, clients: Clients, *, seconds: float = 90.0) -> bool:
    """Wait until every acknowledged job has its final record and no other job is left; return whether so."""
    missing = set(clients.kept.values())

    def is_over() -> bool:
        missing.difference_update(path.stem for path in (site.queues / "outbound").glob("*/*.json"))
        return not missing and site.has_none_in("inbound", "scheduled", "running")

    return waited_for(is_over, seconds=seconds)
