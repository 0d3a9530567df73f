"""What may come in: a submission becomes a job here, or is refused before anything is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core import lifecycle
from core.errors import BlockedAddress, InvalidParams, InvalidRequest, Problem, Unsupported
from core.ids import JobIds
from core.jobs import DEFAULT_PRIORITY, Job, Json
from core.submission import Submission, body_hash, hash_of, submission_from

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine
    from core.registry import Registry

MOST_IN_A_BATCH = 1_000
#: A crash of the machine must not end a job, so one attempt is too few.
DEFAULT_ATTEMPTS = 3


class Admission:
    """Check submissions against their actions and against what the engine can do.

    `check_callback` raises BlockedAddress for a URL that must not be called; None where none ever is.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        *,
        default_timeout: float,
        check_callback: Callable[[str], object] | None = None,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._ids = JobIds(clock)
        self._default_timeout = default_timeout
        self._check_callback = check_callback

    def admitted(self, submission: Submission) -> Job:
        """Return the job that a submission makes. Raises what `Bus.submit` names before it stores."""
        refuse_unsupported(submission, self._engine)
        self._refuse_callback(submission.callback_url)
        spec = self._registry.resolve(submission.action)
        refuse_beyond("timeout", submission.timeout, spec.limits.timeout)
        refuse_beyond("max_attempts", submission.max_attempts, spec.limits.max_attempts)
        now = self._clock.now()
        deferred = submission.run_after is not None and submission.run_after > now
        return Job(
            id=self._ids(),
            action=spec.name,
            params=spec.validate(submission.params),
            queue=spec.limits.queue,
            priority=submission.priority,
            max_attempts=submission.max_attempts or spec.limits.max_attempts or DEFAULT_ATTEMPTS,
            timeout=submission.timeout or spec.limits.timeout or self._default_timeout,
            submitted_at=now,
            run_after=submission.run_after if deferred else None,
            batch=submission.batch,
            labels=submission.labels,
            idempotency_key=submission.idempotency_key,
            body_hash=body_hash(submission) if submission.idempotency_key else None,
            callback_url=submission.callback_url,
        )

    def admitted_many(self, submissions: Sequence[Submission]) -> list[Job]:
        """Return the jobs of a batch of 1 to 1,000; an error names the number of the job that is at fault."""
        if not 1 <= len(submissions) <= MOST_IN_A_BATCH:
            raise InvalidRequest("jobs", f"must hold 1 to {MOST_IN_A_BATCH:,} jobs.", code="bad_batch_size")
        return [self._member(number, submission) for number, submission in enumerate(submissions)]

    def admitted_document(self, document: Json) -> Job:
        """Return the job that a JSON object makes, as a file dropped by hand holds it."""
        return self.admitted(submission_from(document, now=self._clock.now()))

    def admitted_again(self, ended: Job, params: Mapping[str, Json] | None, *, key: str | None = None) -> Job:
        """Return a new job that runs an ended one again, with its params or edited ones.

        The same idempotency key, job and params are the same retry.
        """
        spec = self._registry.resolve(ended.action)
        checked = spec.validate(ended.params if params is None else params)
        again = lifecycle.resubmitted(ended, job_id=self._ids(), now=self._clock.now(), params=checked)
        if key is None:
            return again
        refuse_unsupported(Submission(action=ended.action, idempotency_key=key), self._engine)
        return replace(again, idempotency_key=key, body_hash=hash_of(["retry", ended.id, checked]))

    def _refuse_callback(self, url: str | None) -> None:
        if url is None:
            return
        if self._check_callback is None:
            raise Unsupported(
                "callback_url: this bus does not send webhooks.", hint="Poll GET /outbound, or use wait=25."
            )
        try:
            self._check_callback(url)
        except BlockedAddress as refusal:
            raise InvalidRequest(
                "callback_url", refusal.message, hint=refusal.hint, code=refusal.code
            ) from None

    def _member(self, number: int, submission: Submission) -> Job:
        place = f"jobs[{number}]"
        try:
            return self.admitted(submission)
        except InvalidRequest as error:
            raise error.within(place) from None
        except InvalidParams as error:
            problems = [Problem(f"{place}.{known.field}", known.message) for known in error.problems]
            raise InvalidParams(error.action, problems) from None


def refuse_unsupported(submission: Submission, engine: Engine) -> None:
    """Raise Unsupported when the submission asks for what the engine cannot do."""
    refusals = {
        "priority": not engine.supports_priority and submission.priority != DEFAULT_PRIORITY,
        "run_after": not engine.supports_run_after and submission.run_after is not None,
        "idempotency_key": not engine.supports_idempotency and submission.idempotency_key is not None,
    }
    for name, refused in refusals.items():
        if refused:
            raise Unsupported(f"{name}: the engine {engine.name} cannot do this.", hint=f"Leave {name} out.")


def refuse_beyond(field: str, asked: float | None, most: float | None) -> None:
    """Raise InvalidRequest when a submission asks for more than its action allows."""
    if asked is not None and most is not None and asked > most:
        raise InvalidRequest(field, f"may be at most {most:g}, the limit of the action.", code="out_of_range")


def with_batch(submissions: Sequence[Submission], batch: str) -> list[Submission]:
    """Return the submissions with that batch on each that names none."""
    return [replace(one, batch=one.batch or batch) for one in submissions]
