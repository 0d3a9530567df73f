"""A problem looked into step by step: what runs tasks that name no action."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from actions._investigation import Finding, Investigation, Step
from actions._machine import Machine
from core import JobContext

MOST_STEPS = 1_000

_BLINK = 0.5  # seconds after which a wait looks whether the attempt is to stop
#: Parameters of a task that are meant for the bus.
_FOR_THE_BUS = frozenset({"action", "priority", "timeout"})

#: A number of steps.
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]

_Subject = Literal["load", "memory", "memory_pressure", "io_pressure", "disk", "descriptors", "zombies"]


class AgentConfig(BaseModel):
    """Who investigates, and how. Further settings are kept with the task, and named as not used."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: Annotated[str, Field(max_length=255, description="Who signs the report.")] = "observer"
    limits: Annotated[
        dict[_Subject, Annotated[float, Field(ge=0)]],
        Field(description="Above which number a subject is suspicious, where the usual limit does not fit."),
    ] = {}
    pause_seconds: Annotated[float, Field(ge=0, le=60, description="How long to wait after each step.")] = 0.0


class Parameters(BaseModel):
    """The parameters of a task. Further ones are kept with the task, and named as not used."""

    model_config = ConfigDict(extra="allow", strict=True)

    max_steps: Annotated[Steps | None, Field(description="How many steps it may take.")] = None
    agent_config: Annotated[AgentConfig, Field(description="Who investigates, and how.")] = AgentConfig()


_USUAL = Parameters()


def run(
    problem_id: Annotated[str, Field(max_length=255, description="What the report is about.")] = "unnamed",
    parameters: Annotated[Parameters, Field(description="How to go about it.")] = _USUAL,
    max_steps: Annotated[
        Steps, Field(description="As max_steps of the parameters, which counts for more.")
    ] = 30,
    *,
    job: JobContext,
) -> dict[str, object]:
    """Investigate this machine: observe it, explain and confirm what is suspicious, and conclude.

    Each step looks at one thing: load, memory, pressure, disks, file descriptors and ended processes, then at
    whoever may be to blame for what is too high, then whether it still is. The last step that it may take is
    the conclusion. Nothing outside the machine is asked, and nothing is changed.
    """
    agent, most = parameters.agent_config, parameters.max_steps or max_steps
    unused = list(_unused(parameters))
    job.info(f"{agent.name} investigates {problem_id} in {most} steps at most")
    if unused:
        job.debug(f"Not used: {', '.join(unused)}")
    investigation = _investigation(agent, job)
    taken = _investigate(investigation, most - 1, agent.pause_seconds, job)
    return {
        "problem_id": problem_id,
        "agent": agent.name,
        **_conclude(investigation, taken, job),
        "max_steps": most,
        "unused": unused,
    }


def _investigation(agent: AgentConfig, job: JobContext) -> Investigation:
    disks = sorted({Path("/"), Path(tempfile.gettempdir())})
    limits = dict[str, float](agent.limits.items())
    return Investigation(Machine(disks=disks), limits, partial(_wait, job))


def _investigate(investigation: Investigation, most: int, pause: float, job: JobContext) -> int:
    """Take so many steps at most, with a pause after each; return how many were taken."""
    steps, taken = investigation.steps(), 0
    while taken < most and (step := next(steps, None)) is not None:
        taken += 1
        _tell(job, taken, min(most, investigation.planned) + 1, step)
        investigation.wait(pause)
    return taken


def _conclude(investigation: Investigation, taken: int, job: JobContext) -> dict[str, object]:
    verdict, reason = investigation.conclusion(finished=taken == investigation.planned)
    _tell(job, taken + 1, taken + 1, Step(kind="conclude", subject=verdict, said=reason))
    return {
        "verdict": verdict,
        "reason": reason,
        "steps_taken": taken + 1,
        "observed": investigation.observed,
        "findings": [_told(finding) for finding in investigation.findings],
    }


def _tell(job: JobContext, number: int, most: int, step: Step) -> None:
    said = f"{step.kind} {step.subject}: {step.said}"
    job.log(step.level, f"Step {number}: {said}")
    job.progress(number / most, said)


def _wait(job: JobContext, seconds: float) -> None:
    """Wait so long. Raises Cancel as soon as the attempt is to stop."""
    never = threading.Event()
    job.check_cancelled()
    while seconds > 0:
        never.wait(min(seconds, _BLINK))
        seconds -= _BLINK
        job.check_cancelled()


def _unused(parameters: Parameters) -> Iterator[str]:
    """Yield the names of what was given and is not known here."""
    yield from sorted((parameters.model_extra or {}).keys() - _FOR_THE_BUS)
    yield from sorted(f"agent_config.{name}" for name in parameters.agent_config.model_extra or {})


def _told(finding: Finding) -> dict[str, object]:
    return {
        "subject": finding.subject.name,
        "value": finding.value,
        "limit": finding.limit,
        "suspects": finding.suspects,
        "persists": finding.persists,
    }
