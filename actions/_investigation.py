"""How a machine is investigated: observe, suspect, explain, confirm, conclude; one step at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from actions._machine import Machine, Process

#: Waits so many seconds, or ends the attempt when it is to stop.
Wait = Callable[[float], None]

_SAMPLE = 0.2  # seconds over which the busiest processes are found
_MOST_SUSPECTS = 3
_MIB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Something that may be wrong with a machine: how it is measured, and who may be to blame."""

    name: str
    #: What the number means, with `{}` for the number.
    meaning: str
    #: Above this it is suspicious.
    limit: float
    measure: Callable[[Machine], float | None]
    suspects: Callable[[Machine, Wait], list[str]]


@dataclass(slots=True)
class Finding:
    """A subject that was above its limit."""

    subject: Subject
    value: float
    limit: float
    #: Who may be to blame, the worst first; None before it was looked into.
    suspects: list[str] | None = None
    #: Whether it was still so at a second look; None before that.
    persists: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step was, and what it showed."""

    #: `observe`, `explain`, `confirm` or `conclude`.
    kind: str
    subject: str
    said: str
    #: The level at which it is logged.
    level: str = "info"


@dataclass(slots=True)
class Investigation:
    """Look at every subject, then into those above their limits; `limits` stand in for the usual ones."""

    machine: Machine
    limits: Mapping[str, float]
    wait: Wait
    #: What was measured, by subject.
    observed: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def planned(self) -> int:
        """How many steps it takes, as far as is known by now."""
        return len(SUBJECTS) + 2 * len(self.findings)

    def steps(self) -> Iterator[Step]:
        """Yield each step when it is done; whoever asks for no more of them ends the investigation."""
        for subject in SUBJECTS:
            yield self._observe(subject)
        for finding in self.findings:
            yield self._explain(finding)
            yield self._confirm(finding)

    def conclusion(self, *, finished: bool) -> tuple[str, str]:
        """Return the verdict (`healthy`, `passing`, `problem` or `inconclusive`) and the reason for it."""
        persistent = [finding.subject.name for finding in self.findings if finding.persists]
        if persistent:
            return "problem", f"Too high at both looks: {', '.join(persistent)}."
        if not finished:
            return "inconclusive", "The steps did not suffice to look at everything, or to look twice."
        if self.findings:
            passed = ", ".join(finding.subject.name for finding in self.findings)
            return "passing", f"Too high at the first look only: {passed}."
        return "healthy", f"Nothing was too high: {', '.join(self.observed)}."

    def _observe(self, subject: Subject) -> Step:
        value = subject.measure(self.machine)
        if value is None:
            return Step(
                kind="observe", subject=subject.name, said="this machine does not tell", level="debug"
            )
        self.observed[subject.name] = round(value, 3)
        limit = self.limits.get(subject.name, subject.limit)
        said = f"{subject.meaning.format(f'{value:.2f}')}, the limit is {limit:g}"
        if value <= limit:
            return Step(kind="observe", subject=subject.name, said=said)
        self.findings.append(Finding(subject, round(value, 3), limit))
        return Step(kind="observe", subject=subject.name, said=f"{said}: suspicious", level="warning")

    def _explain(self, finding: Finding) -> Step:
        finding.suspects = finding.subject.suspects(self.machine, self.wait)
        said = "; ".join(finding.suspects) or "nothing stands out"
        return Step(kind="explain", subject=finding.subject.name, said=said)

    def _confirm(self, finding: Finding) -> Step:
        value = finding.subject.measure(self.machine)
        finding.persists = value is not None and value > finding.limit
        said = "still too high" if finding.persists else "it has passed"
        level = "warning" if finding.persists else "info"
        return Step(kind="confirm", subject=finding.subject.name, said=said, level=level)


def _fullest(machine: Machine) -> float | None:
    return max((share for share, _ in machine.disks().values()), default=None)


def _zombies(machine: Machine) -> float:
    return float(sum(process.state == "Z" for process in machine.processes()))


def _busiest(machine: Machine, wait: Wait) -> list[str]:
    before = {process.pid: process.cpu for process in machine.processes()}
    wait(_SAMPLE)
    used = {one: one.cpu - before[one.pid] for one in machine.processes() if one.pid in before}
    ranked = sorted((one for one in used if used[one] > 0), key=lambda one: -used[one])
    return [f"{_named(one)} used {used[one]:.2f} s of processor time" for one in ranked[:_MOST_SUSPECTS]]


def _largest(machine: Machine, wait: Wait) -> list[str]:
    ranked = sorted(machine.processes(), key=lambda one: -one.memory)
    return [
        f"{_named(one)} holds {one.memory / _MIB:,.0f} MiB" for one in ranked[:_MOST_SUSPECTS] if one.memory
    ]


def _stuck(machine: Machine, wait: Wait) -> list[str]:
    stuck = [one for one in machine.processes() if one.state == "D"]
    return [f"{_named(one)} waits for a disk" for one in stuck[:_MOST_SUSPECTS]]


def _neglectful(machine: Machine, wait: Wait) -> list[str]:
    processes = machine.processes()
    names = {one.pid: _named(one) for one in processes}
    parents = Counter(one.parent for one in processes if one.state == "Z")
    return [
        f"{names.get(pid, f'process {pid}')} has not waited for {number} ended children"
        for pid, number in parents.most_common(_MOST_SUSPECTS)
    ]


def _full(machine: Machine, wait: Wait) -> list[str]:
    ranked = sorted(machine.disks().items(), key=lambda disk: -disk[1][0])
    return [f"{path} has {left / _MIB:,.0f} MiB left" for path, (_, left) in ranked[:_MOST_SUSPECTS]]


def _nobody(machine: Machine, wait: Wait) -> list[str]:
    return []


def _named(process: Process) -> str:
    return f"{process.name} (process {process.pid})"


#: In the order in which they are looked at.
SUBJECTS = (
    Subject(
        name="load",
        meaning="{} processes wanted each processor",
        limit=1.5,
        measure=Machine.load,
        suspects=_busiest,
    ),
    Subject(
        name="memory",
        meaning="{} of the memory is taken",
        limit=0.9,
        measure=Machine.memory,
        suspects=_largest,
    ),
    Subject(
        name="memory_pressure",
        meaning="{} % of the time was spent waiting for memory",
        limit=10.0,
        measure=lambda machine: machine.pressure("memory"),
        suspects=_largest,
    ),
    Subject(
        name="io_pressure",
        meaning="{} % of the time was spent waiting for disks",
        limit=40.0,
        measure=lambda machine: machine.pressure("io"),
        suspects=_stuck,
    ),
    Subject(
        name="disk",
        meaning="{} of the fullest disk is taken",
        limit=0.9,
        measure=_fullest,
        suspects=_full,
    ),
    Subject(
        name="descriptors",
        meaning="{} of the file descriptors are open",
        limit=0.8,
        measure=Machine.descriptors,
        suspects=_nobody,
    ),
    Subject(
        name="zombies",
        meaning="{} ended processes are not waited for",
        limit=20.0,
        measure=_zombies,
        suspects=_neglectful,
    ),
)
