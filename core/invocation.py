"""One call of an action: whatever it returns or raises becomes an outcome."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import replace

from core.actions import ActionSpec
from core.context import JobContext
from core.errors import Cancel, Fail, InvalidParams, Retry
from core.job_log import shown
from core.jobs import Json
from core.outcome import Ending, Outcome, failure, last_line
from core.results import DEFAULT_LIMIT, checked_result
from core.timing import LONGEST

_LONGEST_MESSAGE = 2_000
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
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
        return replace(failure("action_error", _words(wish)), delay=_delay(wish))
    except Fail as wish:
        return Outcome(ending=Ending.GIVEN_UP, code=_code(wish), message=_words(wish))
    except Cancel as wish:
        return Outcome(ending=Ending.CANCELLED, code="cancelled", message=_words(wish))
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
    if spec.params.wants_context:
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
    said = _words(error)
    return failure("action_error", f"{type(error).__name__}: {said}" if said else type(error).__name__)


def _words(error: BaseException) -> str:
    """Return what an error says, fit to be stored and shown."""
    try:
        said = shown(str(error))
    except Exception:  # noqa: BLE001  An error of the action's own making may fail even at this.
        return ""
    return said if len(said) <= _LONGEST_MESSAGE else said[:_LONGEST_MESSAGE] + " …"


def _code(wish: Fail) -> str:
    return wish.code if isinstance(wish.code, str) and _CODE.fullmatch(wish.code) else "action_error"


def _delay(wish: Retry) -> float | None:
    usable = isinstance(wish.delay, int | float) and 0 <= wish.delay <= LONGEST
    return wish.delay if usable else None
