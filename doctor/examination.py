"""The examination: subject by subject; what is wrong is tallied by kind, and mended if that was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from core.errors import BusError
from doctor.actions import check_actions
from doctor.bench import Bench, reason_of
from doctor.browser import check_browser
from doctor.bus import check_answer, check_last_stop, check_process
from doctor.ended import check_failed
from doctor.findings import Example, Finding, Flaw, Group, Kind, Mark
from doctor.folder import check_file_system, check_folder, check_room
from doctor.jobs import check_jobs
from doctor.keys import check_keys
from doctor.mirror import check_mirror
from doctor.owners import check_owners
from doctor.patient import Patient
from doctor.power import check_alarm, check_power
from doctor.quarantine import check_quarantine
from doctor.running import check_running
from doctor.schedules import check_schedules
from doctor.settings import check_settings
from doctor.store import check_store
from doctor.strays import check_dropped, check_strays
from doctor.watchdog import check_watchdog
from doctor.webhooks import check_letters, check_promises, check_secret

#: Yields flaws, and sentences that say what was seen.
Check = Callable[[Patient], Iterator[Flaw | str]]

#: How many flaws of a kind are shown.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined together."""

    name: str
    checks: tuple[Check, ...]
    #: Whether it lies in the queue's folder, and makes no sense without one.
    inside: bool = True


_OWNERS = Subject("Owners", (check_owners,))
#: In this order: what a later subject finds makes sense only where the earlier ones are well.
SUBJECTS = (
    Subject("Settings", (check_settings,), inside=False),
    Subject("Folder", (check_folder, check_file_system, check_room), inside=False),
    _OWNERS,
    Subject("Store", (check_store,)),
    Subject("Jobs", (check_jobs, check_failed)),
    Subject("Running", (check_running,)),
    Subject("Keys", (check_keys,)),
    Subject("Schedules", (check_schedules,)),
    Subject("Webhooks", (check_letters, check_promises, check_secret)),
    Subject("Strays", (check_strays, check_dropped)),
    Subject("Quarantine", (check_quarantine,)),
    Subject("Bus", (check_process, check_answer, check_last_stop)),
    Subject("Actions", (check_actions,), inside=False),
    Subject("Browser", (check_browser,), inside=False),
    Subject("Mirror", (check_mirror,), inside=False),
    Subject("Power", (check_power, check_alarm, check_watchdog), inside=False),
)

_UNREADABLE = Kind(
    code="not_examined",
    mark=Mark.PROBLEM,
    one="This could not be examined to its end",
    why="What it would have shown is unknown.",
    remedy="Examine it as the bus's user or as root: sudo -u {owner} {bus} doctor {folder}",
)

#: Told of each flaw that was mended, and what was done.
Listener = Callable[[Flaw, str], None]


def examine(
    patient: Patient,
    *,
    bench: Bench | None = None,
    mended: Listener = lambda flaw, done: None,
    step_down: Callable[[], None] = lambda: None,
) -> Iterator[Group]:
    """Yield what is found of each subject, after mending what can be mended if there is a bench.

    `step_down` is called when owners and modes are done: the rest is for the user of the bus to see to.
    """
    closed = False
    for subject in SUBJECTS:
        if closed and subject.inside:
            continue
        group = _examined(subject, patient, bench, mended)
        closed = closed or any(finding.kind.fatal for finding in group.findings)
        yield group
        if subject is _OWNERS:
            step_down()


def _examined(subject: Subject, patient: Patient, bench: Bench | None, mended: Listener) -> Group:
    facts: list[str] = []
    tally: dict[Kind, _Count] = {}
    for check in subject.checks:
        for seen in _guarded(check, patient):
            if isinstance(seen, str):
                facts.append(seen)
                continue
            count = tally.setdefault(seen.kind, _Count(seen.kind))
            count.note(seen)
            if bench is not None and seen.mend is not None:
                count.mend(seen, partial(seen.mend, bench), mended)
    findings = sorted((count.finding(patient) for count in tally.values()), key=lambda found: -found.mark)
    return Group(name=subject.name, facts=tuple(facts), findings=tuple(findings))


def _guarded(check: Check, patient: Patient) -> Iterator[Flaw | str]:
    """Yield what a check yields; if it cannot go on, that is a finding too."""
    try:
        yield from check(patient)
    except (OSError, BusError) as error:
        where = getattr(error, "filename", None) or ""
        yield Flaw(_UNREADABLE, str(where), reason_of(error))


@dataclass(slots=True)
class _Count:
    """The flaws of one kind so far; of a million only the first few are remembered."""

    kind: Kind
    number: int = 0
    mended: int = 0
    examples: list[Example] = field(default_factory=list)
    failures: list[Example] = field(default_factory=list)

    def note(self, flaw: Flaw) -> None:
        self.number += 1
        if len(self.examples) < SHOWN:
            self.examples.append(Example(flaw.where, flaw.detail))

    def mend(self, flaw: Flaw, mend: Callable[[], str], mended: Listener) -> None:
        try:
            done = mend()
        except (OSError, BusError) as error:
            if len(self.failures) < SHOWN:
                self.failures.append(Example(flaw.where, reason_of(error)))
            return
        self.mended += 1
        mended(flaw, done)

    def finding(self, patient: Patient) -> Finding:
        return Finding(
            kind=self.kind,
            count=self.number,
            mended=self.mended,
            examples=tuple(self.examples),
            failures=tuple(self.failures),
            remedy=patient.worded(self.kind.remedy),
        )
