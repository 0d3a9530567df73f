"""The books of a queue: what was acknowledged, held against what is found, in Jepsen's total-queue terms."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.jobs import State
from queues.file.entries import Kind, entries_in
from queues.file.layout import job_id_in
from tests.faults.events import Event

#: What is counted, and what each count means. None of these is a fault.
COUNTS = {
    "cuts": "power cuts",
    "submitted": "jobs that somebody tried to submit",
    "acked": "submissions that were acknowledged",
    "ended": "ends that were acknowledged",
    "recovered": "jobs on the disk that nobody was told of",
    "once": "last attempts started that a job is allowed",
    "again": "earlier keyed submissions repeated after the power came back",
    "indeterminate": "acknowledgements while the power was going, which prove nothing",
}
#: What must never happen.
FAULTS = {
    "lost": "acknowledged, and not on the disk",
    "torn": "records that are no whole JSON",
    "unexpected": "jobs on the disk that nobody submitted",
    "half_batches": "batches of which a part is on the disk",
    "duplicated": "jobs that ended twice",
    "finished_lost": "acknowledged ends without their final record, or with another",
    "finished_run_again": "jobs run again after their acknowledged end",
    "started_again": "jobs started once more after the last attempt that they are allowed",
    "claims_forgotten": "attempts given out again under an earlier number, or while the power was on",
    "key_forgotten": "idempotency keys that made a second job",
    "robbed": "claims taken from a living worker",
    "vanished": "acknowledged jobs that a look-up did not find while the power was on",
    "stopped": "threads that met an error while the power was on",
    "unopened": "queues that no engine would open any more",
    "stuck": "acknowledged jobs that never ended",
}
Figures = Counter[str]


@dataclass
class Ledger:
    """What a process said to have done before the power went."""

    submitted: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)
    batches: list[set[str]] = field(default_factory=list)
    #: Job id to how it ended.
    ended: dict[str, State] = field(default_factory=dict)
    #: Job id to the number of its last attempt.
    started: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Jobs whose last allowed attempt was started.
    once: set[str] = field(default_factory=set)
    #: Faults that showed before the power went.
    noticed: Figures = field(default_factory=Counter)

    def enter(self, events: Iterable[Event]) -> Ledger:
        """Enter events and return the ledger."""
        for event in events:
            getattr(self, f"_enter_{event.kind}", self._notice)(event)
        return self

    def _enter_tried(self, event: Event) -> None:
        self.submitted.add(event.job_id)

    def _enter_kept(self, event: Event) -> None:
        self.kept.add(event.job_id)

    def _enter_keyed(self, event: Event) -> None:
        self.keyed.add(event.job_id)

    def _enter_batch(self, event: Event) -> None:
        self.batches.append(set(event.detail.split(",")))

    def _enter_whole(self, event: Event) -> None:
        self.kept.update(event.detail.split(","))

    def _enter_started(self, event: Event) -> None:
        attempt = int(event.detail)
        self.noticed["claims_forgotten"] += attempt <= self.started[event.job_id]
        self.started[event.job_id] = max(attempt, self.started[event.job_id])

    def _enter_once(self, event: Event) -> None:
        self.noticed["started_again"] += event.job_id in self.once
        self.once.add(event.job_id)

    def _enter_ended(self, event: Event) -> None:
        self.noticed["duplicated"] += event.job_id in self.ended
        self.ended[event.job_id] = State(event.detail)

    def _notice(self, event: Event) -> None:
        self.noticed[event.kind] += 1


#: Where a journal is as good a place for a record as a folder.
JOURNAL = "journal"


@dataclass
class Findings:
    """What lies in a queue's folder, read without the engine, before anything is set right."""

    #: Job id to the top folders that have a whole record of it.
    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Job id to the state that its final record gives.
    final: dict[str, State] = field(default_factory=dict)
    torn: list[Path] = field(default_factory=list)


def findings_in(base: Path) -> Findings:
    """Read every record below a base folder."""
    found = Findings()
    for volume in (base / "journal").glob("*.journal"):
        _read_volume(volume, found)
    for top in ("inbound", "scheduled", "running", "outbound"):
        for path in (base / top).rglob("*.json"):
            _read_record(path, top, found)
    # A record may be torn as long as a journal, which is whole, has it.
    found.torn = [path for path in found.torn if JOURNAL not in found.places[path.name[:36]]]
    return found


def _read_volume(path: Path, found: Findings) -> None:
    for entry in entries_in(path.read_bytes()):
        for document in map(json.loads, entry.records):
            if entry.kind is not Kind.CLAIMED:
                found.places[document["id"]].add(JOURNAL)
            if entry.kind is Kind.ENDED:
                found.final[document["id"]] = State(document["state"])


def _read_record(path: Path, top: str, found: Findings) -> None:
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        found.torn.append(path)
        return
    job_id = job_id_in(path.name)
    if job_id is not None:
        found.places[job_id].add(top)
        if top == "outbound":
            found.final[job_id] = State(document["state"])


def compared(ledger: Ledger, found: Findings) -> Figures:
    """Return the figures of a disk as the power cut left it."""
    present = {job_id for job_id, places in found.places.items() if places}
    return ledger.noticed + Counter(
        submitted=len(ledger.submitted),
        acked=len(ledger.kept),
        ended=len(ledger.ended),
        once=len(ledger.once),
        recovered=len(present - ledger.kept),
        lost=len(ledger.kept - present),
        torn=len(found.torn),
        unexpected=len(present - ledger.submitted),
        half_batches=sum(1 for batch in ledger.batches if 0 < len(batch & present) < len(batch)),
        finished_lost=sum(1 for job_id, state in ledger.ended.items() if found.final.get(job_id) != state),
    )
