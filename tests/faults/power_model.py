"""A model of a machine that switches itself off: a frozen world, and all small steps that change it. Pure.

Clients, workers, the power logic and fate take turns in any order. The power logic is a program: between two
of its steps anything else may happen. Left out: the longest uptime, which stops over jobs on purpose, and
holds, which go through the gate as submissions do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

#: The clock goes from 0 to here.
LAST = 3
#: A stop takes less than this, and nothing due within it is slept through.
MIN_SLEEP = 1
#: When a submitted job may be due: at once, or at these times.
DUES = (0, 2, 3)
#: How long a failed attempt waits for the next.
BACKOFF = 2


class Stage(StrEnum):
    """Where a job is."""

    #: Its client has yet to have it accepted, and comes at any time, again and again.
    WANTED = "wanted"
    #: Its submission is inside the gate, and not stored.
    INSIDE = "inside"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


class Job(NamedTuple):
    """A job, and when it is due."""

    stage: Stage = Stage.WANTED
    due: int = 0


class Step(NamedTuple):
    """What happens, and to which job."""

    name: str
    job: int = -1
    due: int = 0


@dataclass(frozen=True, kw_only=True)
class Design:
    """How the machine is built. What differs from the defaults is a mistake on purpose."""

    #: What the power logic does, in this order; whatever forbids a step begins the program anew.
    program: tuple[str, ...] = ("decide", "close", "wait", "look", "arm", "record", "switch")
    #: Within which time a due job keeps the machine on.
    min_sleep: int = MIN_SLEEP
    #: Whether a program that is given up begins anew, or goes on where it was with the gate open.
    begins_anew: bool = True
    #: Whether a bus that dies after the record of a stop was written goes on with it when it starts again.
    goes_on: bool = True
    #: Whether a switch that seems not to have worked may still take effect.
    switches_late: bool = False
    #: Whether a bus that is told to end has the machine started again for what is left.
    drains: bool = True


SOUND = Design()


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """All that can be told apart."""

    jobs: tuple[Job, ...]
    now: int = 0
    on: bool = True
    gate_open: bool = True
    #: How many steps of its program the power logic has taken.
    at: int = 0
    #: The earliest due moment, when the power logic last looked.
    seen: int | None = None
    #: Whether a stop has taken as long as it may.
    late: bool = False
    #: Whether a switch is taking effect.
    stopping: bool = False
    #: When the machine is to be started.
    alarm: int | None = None

    @property
    def next_due(self) -> int | None:
        """When the first of the deferred jobs is due."""
        moments = [job.due for job in self.jobs if job.stage is Stage.WAITING and job.due > self.now]
        return min(moments, default=None)

    @property
    def busy(self) -> bool:
        """Whether a job runs, or could."""
        return any(job.stage is Stage.RUNNING or self.could_run(job) for job in self.jobs)

    def could_run(self, job: Job) -> bool:
        """Return whether a job waits, and for nothing but a worker."""
        return job.stage is Stage.WAITING and job.due <= self.now

    def holds(self, *stages: Stage) -> bool:
        """Return whether there is a job in one of these stages."""
        return any(job.stage in stages for job in self.jobs)


#: A step, and the world after it.
Taken = tuple[Step, World]
Steps = Iterator[Taken]


def beginning(jobs: int) -> World:
    """Return a machine that is on, and idle, and so many jobs that somebody wants done."""
    return World(jobs=(Job(),) * jobs)


def steps(world: World, design: Design = SOUND) -> Steps:
    """Yield all that may happen next, and what the world is like then."""
    if world.on:
        yield from _submissions(world)
        yield from _work(world)
        yield from _power(world, design)
        yield from _deaths(world, design)
    else:
        yield from _starts(world)
    yield from _time(world, design)


def stays_on(world: World, design: Design = SOUND) -> bool:
    """Return whether there is a reason to stay on."""
    soon = world.next_due is not None and world.next_due - world.now <= design.min_sleep
    return world.busy or soon


def earliest_start(world: World) -> int | None:
    """Return when the machine must be started for what is left, if it goes off now."""
    moments = [job.due for job in world.jobs if job.stage is Stage.WAITING]
    return min(max(min(moments), world.now + MIN_SLEEP), LAST) if moments else None


def _submissions(world: World) -> Steps:
    for number, job in enumerate(world.jobs):
        if job.stage is Stage.WANTED and world.gate_open:
            for due in DUES:
                yield Step("enter", number, due), _with(world, number, Job(Stage.INSIDE, due))
        elif job.stage is Stage.INSIDE:
            yield Step("store", number), _with(world, number, Job(Stage.WAITING, job.due))


def _work(world: World) -> Steps:
    for number, job in enumerate(world.jobs):
        if world.could_run(job):
            yield Step("claim", number), _with(world, number, Job(Stage.RUNNING, job.due))
        elif job.stage is Stage.RUNNING:
            yield Step("finish", number), _with(world, number, Job(Stage.ENDED))
            if (due := world.now + BACKOFF) <= LAST:
                yield Step("retry", number), _with(world, number, Job(Stage.WAITING, due))


def _power(world: World, design: Design) -> Steps:
    if world.at == len(design.program):
        yield _given_up(world, design)
        return
    step = design.program[world.at]
    further = replace(world, at=world.at + 1)
    looked = replace(further, seen=world.next_due, late=False)
    if step == "decide" and not stays_on(world, design):
        yield Step(step), looked
    elif step in {"close", "record"}:
        yield Step(step), replace(further, gate_open=world.gate_open and step != "close")
    elif step == "wait":
        given_up = world.holds(Stage.INSIDE)
        yield (Step("give up"), _reopened(world, design)) if given_up else (Step(step), further)
    elif step == "look":
        yield Step(step), _reopened(world, design) if stays_on(world, design) else looked
    elif step == "arm":
        yield Step(step), replace(further, alarm=world.seen)
        # An alarm that is set although nothing is due only starts the machine once too often.
        yield Step("arm fails"), further if world.seen is None else _reopened(world, design)
    elif step == "switch":
        yield Step(step), replace(further, stopping=True)
        yield Step("switch fails"), _reopened(world, design)


def _given_up(world: World, design: Design) -> Taken:
    """Return how a stop ends that does not come true: for sure where no switch was run, else by a failure."""
    step = Step("overdue" if world.stopping else "unswitched")
    return step, replace(_reopened(world, design), stopping=world.stopping and design.switches_late)


def _deaths(world: World, design: Design) -> Steps:
    dead = _without_bus(world)
    if world.stopping:
        given_up = world.at < len(design.program)
        alarm = earliest_start(dead) if design.drains and given_up else world.alarm
        yield Step("off"), replace(dead, on=False, stopping=False, alarm=alarm)
    yield Step("kill"), _going_on(dead, world, design) if _is_recorded(world, design) else dead


def _starts(world: World) -> Steps:
    rings = world.alarm is not None and world.alarm <= world.now
    started = replace(world, on=True, alarm=None if rings else world.alarm)
    if rings:
        yield Step("ring"), started
    if world.holds(Stage.WANTED):
        yield Step("ask"), started


def _time(world: World, design: Design) -> Steps:
    """Let time pass; an alarm that rings while the machine is on is heard by nobody."""
    ends = world.stopping or _has_looked(world, design)
    if world.now < LAST and not (ends and world.late):
        unheard = world.on and world.alarm == world.now + 1
        alarm = None if unheard else world.alarm
        yield Step("tick"), replace(world, now=world.now + 1, alarm=alarm, late=ends)


def _has_looked(world: World, design: Design) -> bool:
    """Return whether the power logic means to stop without looking at the jobs any more."""
    return world.at > 0 and not {"decide", "look"} & set(design.program[world.at :])


def _reopened(world: World, design: Design) -> World:
    if not design.begins_anew:
        return replace(world, gate_open=True, at=min(world.at + 1, len(design.program)))
    return replace(world, gate_open=True, at=0, seen=None, late=False, stopping=False)


def _is_recorded(world: World, design: Design) -> bool:
    return "record" in design.program[: world.at]


def _going_on(dead: World, world: World, design: Design) -> World:
    """Return the world with a new process, which has read that a stop was begun."""
    if not design.goes_on:
        return dead
    return replace(dead, gate_open=False, at=len(design.program), seen=world.seen, late=world.late)


def _without_bus(world: World) -> World:
    """Return the world after the process has died: its clients were cut off, what it ran is to run again."""
    back = {Stage.INSIDE: Stage.WANTED, Stage.RUNNING: Stage.WAITING}
    jobs = [Job(back.get(job.stage, job.stage), job.due) for job in world.jobs]
    jobs = [Job() if job.stage is Stage.WANTED else job for job in jobs]
    return replace(world, jobs=tuple(jobs), gate_open=True, at=0, seen=None, late=False)


def _with(world: World, number: int, job: Job) -> World:
    return replace(world, jobs=(*world.jobs[:number], job, *world.jobs[number + 1 :]))
