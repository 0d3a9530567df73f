"""What can go wrong for a client, by name, each with the exit status by which programs tell them apart."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import BusError
from core.jobs import Json


class ClientError(BusError):
    """Something that a client was asked for, and that came to nothing."""

    #: The exit status of the command line: 1 job failed, 2 bad input, 3 not in time, 4 nobody there, and 130
    #: as shells say it of Ctrl-C.
    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        #: What a program may want to know besides, such as the `job_id`.
        self.evidence: dict[str, Json] = {}


class JobFailed(ClientError):
    """The job has ended, and not well."""

    code = "job_failed"

    def __init__(self, job: Mapping[str, Json]) -> None:
        error = job.get("error") or {}
        said = f"{error.get('code')}: {error.get('message')}" if error else job.get("cancel_reason")
        super().__init__(f"Job {job['job_id']} {_ENDINGS.get(str(job['state']), job['state'])}: {said}")
        #: All that the bus says of it.
        self.job = job


class BadInput(ClientError):
    """What was asked for cannot be: an option, a setting, a param."""

    code = "bad_input"
    exit_status = 2


class Refused(ClientError):
    """The bus has answered, and said no."""

    def __init__(self, status: int, answer: Mapping[str, Json], *, retry_after: float = 0.0) -> None:
        told = answer.get("message") or answer.get("error") or f"The bus answered with status {status}."
        code = str(answer.get("code") or f"status_{status}")
        super().__init__(str(told), hint=_HINTS.get(code) or str(answer.get("hint") or ""))
        self.code = code
        self.status = status
        self.evidence = dict(answer)
        #: Seconds after which to try again; 0.0 when trying again will not help.
        self.retry_after = retry_after
        self.exit_status = 4 if status >= 500 or status == 429 else 2


class NotInTime(ClientError):
    """The job was accepted, and has not ended within the time that was given to wait."""

    code = "not_in_time"
    exit_status = 3


class Interrupted(ClientError):
    """Somebody has pressed Ctrl-C; what the bus has accepted goes on."""

    code = "interrupted"
    exit_status = 130


class Unreachable(ClientError):
    """Nobody answers, or nobody who is a bus."""

    code = "unreachable"
    exit_status = 4


class HungUp(Unreachable):
    """The request was sent and no answer came: what was asked may have been done, or not."""

    code = "hung_up"


class NotUnderstood(Unreachable):
    """Who answers writes JSON, and is no bus, or one of another version."""

    code = "not_understood"


class MachineOff(Unreachable):
    """The machine is off, and what was asked for starts none."""

    code = "machine_off"


class NotStarted(Unreachable):
    """The machine cannot be started: it is not there, not allowed, or will not come up."""

    code = "not_started"


class OutOfStock(NotStarted):
    """The cloud has no such machine to give just now; another zone may have, and this one later."""

    code = "out_of_stock"


class AskAgain(NotStarted):
    """It cannot be done at this moment: the machine is between two states, or Google has failed."""

    code = "ask_again"


#: What remedies a refusal where the bus can only tell of headers, which the client writes itself.
_HINTS = {"unauthorized": "The token is AAFAI_TOKEN, or the machine's own in the file of machines."}
_ENDINGS = {"failed": "failed", "cancelled": "was cancelled"}
