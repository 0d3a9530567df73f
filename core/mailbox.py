"""The mailbox: job files that clients leave in the mirror while the machine is off, taken in once each.

A file is the body of `POST /inbound`. What became of it is told in `receipts/` under the same name; what is
no job lies in `refused/` from then on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import (
    BusError,
    EngineUnavailable,
    InvalidRequest,
    QueueFull,
    ShuttingDown,
)
from core.event_bus import KERNEL, EventBus
from core.jobs import Job, Json
from core.mirror import Left, Mirror, MirrorFailed
from core.mirror_views import receipt_path, receipt_view, refusal_view
from core.publication import put_document
from core.strict_json import BadJson, parse

if TYPE_CHECKING:
    from core.clock import Clock

#: Bytes of a file at most.
LARGEST = 1 << 20
#: Seconds for which a file must lie still before it is read, and after which one that is no JSON is refused.
SETTLED, GIVEN_UP = 1.0, 10.0
#: Files that are taken in before others have their turn: results are published in between.
AT_ONCE = 100

_LATER = (EngineUnavailable, QueueFull, ShuttingDown)  # What is no fault of a file.
_SHOWN = 200  # characters of a name that events tell


class Mailbox:
    """Make a job of each file in the mailbox, or put it aside with the reason. For one thread."""

    def __init__(self, mirror: Mirror, submit: Callable[[Json], Job], clock: Clock, events: EventBus) -> None:
        """Submit by `submit`, which takes the body of `POST /inbound` and raises as `Bus.submit`."""
        self._mirror = mirror
        self._submit = submit
        self._clock = clock
        self._events = events
        #: How often each file that lies there could not be settled, by name.
        self._failed: Counter[str] = Counter()

    def take_in(self) -> bool:
        """Take in what lies there, so many files at most; return whether more are to be taken in at once.

        Raises MirrorFailed, or whatever else befell a file: the more often, the later its turn the next time.
        Everything stays while jobs cannot be stored, because that is no fault of the files.
        """
        lying = [left for left in self._mirror.left() if self._is_ready(left)]
        self._failed = Counter({left.name: self._failed[left.name] for left in lying})
        taken = 0
        for left in sorted(lying, key=lambda left: self._failed[left.name]):
            if taken == AT_ONCE:
                return True
            try:
                taken += self._settle(left)
            except _LATER:
                return False
            except BaseException:
                self._failed[left.name] += 1
                raise
        return False

    def _is_ready(self, left: Left) -> bool:
        is_job_file = left.name.endswith(".json") and not left.name.startswith(".")
        return is_job_file and self._age(left) >= SETTLED

    def _settle(self, left: Left) -> bool:
        """Return whether a file has become a job or been put aside; one that changes is given time."""
        try:
            return self._take(left)
        except (MirrorFailed, *_LATER):
            raise
        except BusError as error:
            self._refuse(left, error)
            return True

    def _take(self, left: Left) -> bool:
        _refuse_strange(left)
        content = self._mirror.get(left)
        if content is None:
            return False
        try:
            document = parse(content)
        except BadJson:
            if self._age(left) < GIVEN_UP:  # Until then it may still be being copied.
                return False
            raise
        job = self._submit(_keyed(document, left.name, content))
        receipt = receipt_view(left.name, job, now=self._clock.now())
        put_document(self._mirror, receipt_path(left.name), receipt)
        self._mirror.remove(left)
        self._publish("system.mail_taken", left, job_id=job.id)
        return True

    def _refuse(self, left: Left, error: BusError) -> None:
        receipt = refusal_view(left.name, error, now=self._clock.now())
        put_document(self._mirror, receipt_path(left.name), receipt)
        self._mirror.put_aside(left)
        self._publish("system.mail_refused", left, reason=error.message)

    def _age(self, left: Left) -> float:
        """Return the seconds for which a file has lain; one dated by a clock ahead of ours is old as well."""
        return float("inf") if left.modified is None else abs(self._clock.now() - left.modified)

    def _publish(self, event_type: str, left: Left, **told: Json) -> None:
        self._events.publish(event_type, KERNEL, {"name": ascii(left.name[:_SHOWN])[1:-1], **told})


def _refuse_strange(left: Left) -> None:
    if not left.regular:
        raise InvalidRequest("file", "is not a regular file, so it was not opened.", code="not_a_file")
    if left.size > LARGEST:
        told = f"has {left.size:,} bytes; {LARGEST:,} is the limit."
        raise InvalidRequest("file", told, hint="Leave one job in each file.", code="body_too_large")


def _keyed(document: Json, name: str, content: bytes) -> Json:
    """Return the submission under a key that makes it one job, however often it is read.

    A key of its own counts, and is the same as over HTTP: whoever left a file and then submits after all has
    one job. Keys with a slash belong to the bus, as `POST /inbound` has it.
    """
    if not isinstance(document, dict):
        hint = 'A valid file is {"action": "fakejob", "params": {"delay_seconds": 2}}.'
        raise InvalidRequest("body", "must be a JSON object.", hint=hint, code="must_be_object")
    own = document.get("idempotency_key")
    if own is not None:
        return {**document, "idempotency_key": f"//{own}" if isinstance(own, str) and "/" in own else own}
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0" + content).hexdigest()
    return {**document, "idempotency_key": f"mailbox/{digest}"}
