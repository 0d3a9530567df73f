"""One call of an action: whatever it returns or raises becomes an outcome."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from core.actions import ActionSpec
from core.context import JobContext
from core.errors import Cancel, Fail, InvalidParams, Retry
from core.jobs import Json
from core.outcome import Ending, Outcome, failure
from core.registry import last_line
from core.results import DEFAULT_LIMIT, checked_result
from core.signature import wants_context

_LONGEST_MESSAGE = 2_000
_DONE = {"complete", "result"}
_NOT_DONE = {"failed", "error"}


class Stopped(BaseException):
    """What is raised inside an attempt that is told to stop, so that its `finally` clauses run."""


def invoke(
    spec: ActionSpec, params: Mapping[str, Json], job: JobContext, *, result_limit: int = DEFAULT_LIMIT
) -> Outcome:
    """Run the action once and return how it ended; raises nothing."""
    try:
        result = _run(spec, params, job) if spec.form == "run" else _execute(spec, params, job)
        return Outcome(ending=Ending.SUCCEEDED, result=checked_result(result, limit=result_limit))
    except Retry as wish:
        return Outcome(ending=Ending.FAILED, code="action_error", message=str(wish), delay=wish.delay)
    except Fail as wish:
        return Outcome(ending=Ending.GIVEN_UP, code=wish.code, message=_shortened(str(wish)))
    except Cancel as wish:
        return Outcome(ending=Ending.CANCELLED, code="cancelled", message=str(wish))
    except InvalidParams as error:
        return Outcome(ending=Ending.GIVEN_UP, code=error.code, message=error.message)
    except BaseException as error:  # noqa: BLE001  Whatever an action raises ends its attempt and nothing else.
        return _raised(error, job)


def load_failure(error: BaseException) -> Outcome:
    """Return the outcome of an attempt whose action could not be loaded."""
    return Outcome(
        ending=Ending.GIVEN_UP,
        code="broken_action",
        message=f"The action could not be loaded: {last_line(error)}",
    )


def _run(spec: ActionSpec, params: Mapping[str, Json], job: JobContext) -> Json:
    arguments = spec.params.arguments(spec.name, params)
    if wants_context(spec.function):
        arguments["job"] = job
    return spec.function(**arguments)


def _execute(spec: ActionSpec, params: Mapping[str, Json], job: JobContext) -> Json:
    envelopes: list[Json] = []
    spec.function(job.id, dict(params), str(job.files), lambda _, envelope: envelopes.append(envelope))
    if not envelopes:
        raise Fail("The action produced no result.", code="no_result")
    return _opened(envelopes[-1])


def _opened(envelope: Json) -> Json:
    """Return the result that an envelope of the older form holds. Raises Fail when it holds an error."""
    if not isinstance(envelope, dict):
        return envelope
    status = envelope.get("status")
    if status in _NOT_DONE:
        said = (
            envelope.get("error")
            or envelope.get("message")
            or "The action reported a failure without a reason."
        )
        raise Fail(str(said))
    if status in _DONE and "result" in envelope:
        return envelope["result"]
    return envelope


def _raised(error: BaseException, job: JobContext) -> Outcome:
    if isinstance(error, Stopped):
        return Outcome(ending=Ending.CANCELLED, code="cancelled", message="The attempt was told to stop.")
    if isinstance(error, SystemExit):
        return failure("exited", f"The action called sys.exit({error.code!r}).")
    job.error("".join(traceback.format_exception(error)).rstrip())
    said = _shortened(str(error))
    return failure("action_error", f"{type(error).__name__}: {said}" if said else type(error).__name__)


def _shortened(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + " …"
