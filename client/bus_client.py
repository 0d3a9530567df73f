"""The Python client: submits jobs, starting the machine if it is off, and asks what became of them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from client import streams
from client.errors import (
    AskAgain,
    BadInput,
    JobFailed,
    MachineOff,
    NotInTime,
    NotStarted,
    Refused,
    Unreachable,
)
from client.line import Line, checked_url
from client.machine import Machine
from client.mirror import MirrorReader
from client.submitting import Submitter
from core.clock import Clock, SystemClock
from core.timing import format_duration

Job = dict[str, Any]

#: Seconds for which a request for the end of a job may be held back: the bus's longest.
LONGEST_WAIT = 25.0
_FIELDS = "job_id,action,state,attempt,progress,error,cancel_reason,worker,submitted_at,started_at,ended_at"
_ENDED = ("succeeded", "failed", "cancelled")
_LONGEST_PAGE = 1_000
_NEXT_LOOK, _NEXT_LOOK_WHILE_OFF = 5.0, 30.0  # seconds
#: Seconds for which a machine is believed to have the address that it had; later it may be somebody else's.
_ADDRESS_HOLDS = 60.0


class BusClient:
    """A client of one bus: at a fixed `url`, or on a machine of the cloud, which `submit` and `wake` start.

    Nothing else ever starts a machine; while it is off, results are read in its `mirror`. Durations are in
    seconds; jobs are as `GET /api/jobs/<job_id>` tells them. All methods raise Refused when the bus
    says no, and Unreachable when there is none, or it has not said a word for `patience` seconds.
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str = "",
        signs: bool = False,
        machine: Machine | None = None,
        mirror: MirrorReader | None = None,
        patience: float = 30.0,
        clock: Clock | None = None,
        tell: Callable[[str], object] = lambda told: None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._fixed = Line(checked_url(url), token, signs, patience, self._clock) if url else None
        self._machine = machine
        self._mirror = mirror
        self._patience = patience
        self._tell = tell
        self._submitter = Submitter(self._fixed, machine, self._clock, tell)
        self._known: Line | None = None
        self._known_until = 0.0
        self._never = threading.Event()

    def submit(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        within: float = 600.0,
        **options: Any,
    ) -> str:
        """Return the job id of a submission that the bus has accepted: one job, however often it was tried.

        `options` are further fields of a submission, such as `priority` or `run_after`. `key` is the
        idempotency key; a random one without. `within` is how long the machine may take to be there.
        """
        body = {"action": action, "params": dict(params or {}), **options}
        return str(self._submitted(body, within, key=key or uuid.uuid4().hex)["job_id"])

    def submit_many(
        self, jobs: Sequence[Mapping[str, Any]], *, batch: str = "", within: float = 600.0
    ) -> Sequence[str]:
        """Return the job ids of up to 1,000 submissions, in their order: all are stored, or none."""
        keyed = [{"idempotency_key": uuid.uuid4().hex, **job} for job in jobs]
        body = {"jobs": keyed, **({"batch": batch} if batch else {})}
        return list(self._submitted(body, within)["job_ids"])

    def wake(self, within: float = 600.0) -> str:
        """Return the url of the bus as soon as it accepts jobs, its machine being started if need be."""
        line = self._know(self._submitter.awake(within).line)
        if self._fixed is not None:
            self._ask("GET", "/health")  # Nobody has looked yet whether it is there.
        return line.url

    def get(self, job_id: str, *, fields: str = "", wait: float = 0.0) -> Job:
        """Return a job, after `wait` seconds (25 at most) or when it has ended; of its fields those named.

        While the machine is off, one that has ended is read in the mirror, if there is one.
        """
        asked = {"fields": fields, "wait": f"{wait:g}" if wait else ""}
        try:
            return self._ask("GET", _path(job_id), query=asked, patience=wait + self._patience)
        except MachineOff:
            if self._mirror is None or (job := self._mirror.job(job_id)) is None:
                raise
            return job

    def wait(
        self,
        job_id: str,
        *,
        within: float = 3600.0,
        watch: Callable[[Job], object] = lambda job: None,
        every: float = LONGEST_WAIT,
    ) -> Job:
        """Return a job when it has ended, with its result. Raises NotInTime.

        `watch` is shown the job each time that it is asked for, at least `every` so many seconds. A bus that
        does not answer meanwhile is waited for, and its machine looked for anew, but never started.
        """
        until = self._clock.monotonic() + within
        pause = 0.0
        while True:
            left = until - self._clock.monotonic()
            try:
                job = self.get(job_id, fields=_FIELDS, wait=max(0.0, min(pause, left)))
                watch(job)
                if job["state"] in _ENDED:
                    return self.get(job_id)
                pause = min(every, LONGEST_WAIT)
            except (Unreachable, Refused) as trouble:
                self._bear(trouble, left)
            if left <= 0:
                told = f"Job {job_id} has not ended within {format_duration(within)}; it goes on."
                raise NotInTime(told, hint=f"Ask again later: bus get {job_id} --wait")

    def result(self, job_id: str, *, within: float = 3600.0) -> Any:
        """Return the result of a job as soon as it has succeeded. Raises JobFailed, NotInTime."""
        job = self.wait(job_id, within=within)
        if job["state"] != "succeeded":
            raise JobFailed(job)
        return job["result"]

    def list(self, *, limit: int = 50, **filters: Any) -> Sequence[Job]:
        """Return the newest jobs: of a `state`, `action`, `queue`, `batch`, or `since` a time."""
        jobs: list[Job] = []
        cursor = ""
        while len(jobs) < limit:
            asked = {**filters, "limit": str(min(limit, _LONGEST_PAGE)), "cursor": cursor}
            page = self._ask("GET", "/api/jobs", query=asked)
            jobs += page["jobs"]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        return jobs[:limit]

    def cancel(self, job_id: str, reason: str = "") -> Job:
        """Cancel a job that waits, or ask one that runs to stop; return it as it stands then."""
        return self._ask("POST", f"{_path(job_id)}/cancel", {"reason": reason} if reason else None)

    def retry(self, job_id: str, params: Mapping[str, Any] | None = None) -> Job:
        """Return the new job that runs an ended one again, with other params if they are given."""
        body = None if params is None else {"params": dict(params)}
        return self._ask("POST", f"{_path(job_id)}/retry", body, key=uuid.uuid4().hex)

    def logs(self, job_id: str, *, follow: bool = False, level: str = "") -> Iterator[dict[str, Any]]:
        """Yield the entries of a job's log; followed, they come until the job has ended."""
        entries = streams.followed if follow else streams.logged
        with self._line() as line:
            yield from entries(line, job_id, level=level)

    def files(self, job_id: str, *names: str) -> Sequence[streams.JobFile]:
        """Return the files that a job has made, all or those named. Raises BadInput when one is not there."""
        with self._line() as line:
            found, more = streams.listed(line, job_id)
        if more:
            self._tell(f"Job {job_id} has made more files than the {len(found):,} that are listed")
        if missing := set(names).difference(one.name for one in found):
            hint = f"Those it has: bus files {job_id}"
            raise BadInput(f"Job {job_id} has no file {min(missing)!r}.", hint=hint)
        return [one for one in found if not names or one.name in names]

    def save(self, job_id: str, folder: Path, *names: str) -> Sequence[Path]:
        """Save the files of a job below a folder, all or those named, and return where they are."""
        wanted = self.files(job_id, *names)
        with self._line() as line:
            return [streams.saved(line, job_id, one, folder) for one in wanted]

    def actions(self) -> dict[str, Any]:
        """Return the actions with the schemas of their params, and the broken ones."""
        return self._ask("GET", "/api/actions")

    def action(self, name: str) -> dict[str, Any]:
        """Return one action."""
        return self._ask("GET", f"/api/actions/{quote(name, safe='')}")

    def power(self) -> dict[str, Any]:
        """Return why the machine is on, and until when."""
        return self._ask("GET", "/api/power")

    def hold(self, duration: str, *, why: str = "", by: str = "") -> dict[str, Any]:
        """Keep the machine on for a while, such as '2 hours', and return the hold."""
        body = {"for": duration, **({"why": why} if why else {}), **({"by": by} if by else {})}
        return dict(self._ask("POST", "/api/power/hold", body)["hold"])

    def release(self) -> None:
        """Let the machine go again."""
        self._ask("DELETE", "/api/power/hold")

    def cost(self, month: str = "") -> dict[str, Any]:
        """Return what a month, such as `2026-11`, has cost; the present one without."""
        return self._ask("GET", "/api/cost", query={"month": month})

    def _submitted(self, body: dict[str, Any], within: float, *, key: str = "") -> dict[str, Any]:
        accepted = self._submitter.submit(body, key=key, within=within)
        self._know(accepted.line)
        return accepted.answer

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str = "",
        patience: float = 0.0,
    ) -> dict[str, Any]:
        given = urlencode({name: value for name, value in (query or {}).items() if value}, doseq=True)
        with self._line() as line:
            return line.ask(method, f"{path}?{given}".rstrip("?"), body, key=key, patience=patience)

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """Hand out the line to the bus, and forget it when nobody answers there: the machine may have moved.

        Raises MachineOff: what only asks starts no machine.
        """
        try:
            yield self._fixed or self._found()
        except Unreachable:
            self._known = None
            raise

    def _found(self) -> Line:
        if self._known is not None and self._clock.monotonic() < self._known_until:
            return self._known
        assert self._machine is not None  # noqa: S101  A client has one of the two.
        found = self._machine.find()
        if not found.is_on:
            told = f"The machine in {found.zone} is off ({found.status})."
            hint = "Its jobs and results are kept; `bus wake` and `bus submit` start it, and nothing else."
            raise MachineOff(told, hint=hint)
        return self._know(self._machine.line(found))

    def _know(self, line: Line) -> Line:
        self._known, self._known_until = line, self._clock.monotonic() + _ADDRESS_HOLDS
        return line

    def _bear(self, trouble: Unreachable | Refused, left: float) -> None:
        """Wait a while for a bus that is busy, restarting or gone; raise what no waiting will help."""
        asked_for = trouble.retry_after if isinstance(trouble, Refused) else _NEXT_LOOK
        if not asked_for or (isinstance(trouble, NotStarted) and not isinstance(trouble, AskAgain)):
            raise trouble
        self._tell(f"{trouble.message} Asking again in a while")
        pause = _NEXT_LOOK_WHILE_OFF if isinstance(trouble, MachineOff) else asked_for
        self._clock.wait(self._never, max(0.0, min(pause, left)))


def _path(job_id: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}"
