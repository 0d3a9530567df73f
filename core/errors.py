"""What can go wrong, by name: a code for programs, a sentence for people, evidence as attributes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BusError(Exception):
    """Something the bus refuses or could not do."""

    #: For programs; stable between versions.
    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        #: One sentence for people.
        self.message = message
        #: What to do about it, in one sentence; may be empty.
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was submitted."""

    #: Dotted path of the field, such as `params.url`.
    field: str
    #: What is wrong with it, for people.
    message: str


class InvalidRequest(BusError):
    """A field of the request is missing, unknown or of the wrong kind."""

    code = "invalid_request"

    def __init__(self, field: str, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(f"{field}: {message}", hint=hint)
        self.field = field
        self.code = code or type(self).code
        self._said = message

    def within(self, place: str) -> InvalidRequest:
        """Return the same error with the field's path prefixed, such as `jobs[3]`."""
        return InvalidRequest(f"{place}.{self.field}", self._said, hint=self.hint, code=self.code)


class InvalidParams(BusError):
    """The action's schema refuses the params."""

    code = "invalid_params"

    def __init__(self, action: str, problems: Sequence[Problem]) -> None:
        listed = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        super().__init__(f"The params do not fit the action {action!r}: {listed}.")
        self.action = action
        self.problems = tuple(problems)


class UnknownAction(BusError):
    """No action bears that name."""

    code = "unknown_action"

    def __init__(self, name: str, *, nearest: str | None = None) -> None:
        known = "Look at GET /api/actions, or type: bus actions"
        hint = f"Did you mean {nearest!r}?" if nearest else known
        super().__init__(f"There is no action named {name!r}.", hint=hint)
        self.name = name
        self.nearest = nearest


class BrokenAction(BusError):
    """The action's file is there but could not be loaded."""

    code = "broken_action"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The action {name!r} could not be loaded: {reason}", hint="Mend its file and restart the bus."
        )
        self.name = name
        self.reason = reason


class IdempotencyConflict(BusError):
    """The idempotency key was used before for something else."""

    code = "idempotency_conflict"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"This idempotency key belongs to job {job_id}, which was submitted with another body.",
            hint="Use a new key for a new job.",
        )
        self.job_id = job_id


class QueueFull(BusError):
    """As many jobs wait as may wait."""

    code = "queue_full"


class ShuttingDown(BusError):
    """The machine is about to switch off and takes no new jobs."""

    code = "shutting_down"

    def __init__(self, retry_after: float = 30.0) -> None:
        super().__init__(
            "The machine is switching off and accepts no new jobs.",
            hint="Start the machine and submit again.",
        )
        #: Seconds after which to try again.
        self.retry_after = retry_after


class JobNotFound(BusError):
    """No such job was ever known."""

    code = "unknown_job"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id}.")
        self.job_id = job_id


class JobExpired(BusError):
    """The job ended and its record was purged."""

    code = "expired"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} ended and its record has expired.", hint="Submit the job again.")
        self.job_id = job_id


class JobEnded(BusError):
    """What was asked makes sense only for a job that has not ended."""

    code = "job_ended"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"Job {job_id} has already ended: {state}.")
        self.job_id = job_id
        self.state = state


class JobNotEnded(BusError):
    """What was asked makes sense only for a job that has ended."""

    code = "job_not_ended"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"Job {job_id} has not ended yet: it is {state}.")
        self.job_id = job_id
        self.state = state


class ScheduleNotFound(BusError):
    """No schedule bears that id."""

    code = "unknown_schedule"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"There is no schedule {schedule_id!r}.")
        self.schedule_id = schedule_id


class Conflict(BusError):
    """The job changed since it was read: read it again and decide anew."""

    code = "conflict"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} was changed by somebody else.")
        self.job_id = job_id


class Unsupported(BusError):
    """The engine cannot do what was asked."""

    code = "unsupported"


class EngineUnavailable(BusError):
    """The store does not answer, or cannot be written."""

    code = "engine_unavailable"


class EngineInDoubt(EngineUnavailable):
    """What the store holds is unknown since a fault; only opening it anew can tell."""


class DiskFull(EngineUnavailable):
    """There is no room to store the job."""

    code = "disk_full"


class OutcomeUnknown(EngineUnavailable):
    """The store failed at a moment at which the job may or may not have been saved."""

    code = "outcome_unknown"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(
            f"Job {job_id} may or may not have been stored: {reason}",
            hint="Ask for the job, or submit again with the same idempotency key.",
        )
        self.job_id = job_id


class RecordDamaged(BusError):
    """The stored record of a job cannot be read."""

    code = "record_damaged"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"The record of job {job_id} is damaged: {reason}")
        self.job_id = job_id
        self.reason = reason


class ConfigError(BusError):
    """The bus cannot start as it is configured."""

    code = "bad_config"

    def __init__(self, *problems: str, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        #: One sentence for each thing that is wrong.
        self.problems = problems


class SwitchFailed(BusError):
    """A power switch was refused, or is not there."""

    code = "switch_failed"


class AlarmFailed(BusError):
    """The wake alarm could not be set, so the machine must not switch off."""

    code = "alarm_failed"


class BlockedAddress(BusError):
    """A URL leads where nobody may be talked to: inside this machine or its network."""

    code = "blocked_address"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The address is blocked: {reason}.",
            hint="AAFAI_ALLOW_PRIVATE_ADDRESSES=1 allows every address, where the network is trusted.",
        )


class UnknownName(BusError):
    """A host name cannot be resolved at this moment."""

    code = "unknown_name"

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name} could not be resolved.")
        self.name = name


class Steering(Exception):
    """What an action raises to say how its attempt is to end. No failure of the bus."""


class Retry(Steering):
    """Run me again later; counts as a failed attempt."""

    def __init__(
        self, message: str = "The action asked to run again.", *, delay: float | None = None
    ) -> None:
        super().__init__(message)
        #: Seconds to wait; None for the usual backoff.
        self.delay = delay


class Fail(Steering):
    """Give up at once: trying again would not help."""

    def __init__(self, message: str, *, code: str = "action_error") -> None:
        super().__init__(message)
        self.code = code


class Cancel(Steering):
    """End as cancelled: there is nothing (more) to do."""

    def __init__(self, message: str = "The action cancelled itself.") -> None:
        super().__init__(message)
