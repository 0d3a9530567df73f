"""When the machine may switch itself off, and when it must be back: facts in, a verdict out. Pure.

Polls, dashboards, health checks and refused requests are no facts: they never keep the machine on. Ages are
taken on the boot-time clock, which counts sleep and never jumps; only due moments are wall-clock times.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.timing import format_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Somebody's wish that the machine stay on."""

    #: Boot-time seconds at which it ends.
    until: float
    by: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All that the verdict depends on. Boot-time seconds count from the machine's boot."""

    #: Jobs that could run now.
    queued: int = 0
    running: int = 0
    #: When the next deferred job, retry or run of a schedule is due, in Unix seconds.
    next_due: float | None = None
    #: When the next webhook is to be tried, in Unix seconds.
    next_webhook: float | None = None
    #: For each ended job whose result nobody has read: boot-time seconds at which it is waited for no longer.
    unread: tuple[float, ...] = ()
    #: For each webhook that was not delivered: boot-time seconds at which it is waited for no longer.
    pending_webhooks: tuple[float, ...] = ()
    #: For each ended job that is not in the mirror: boot-time seconds at which it is waited for no longer.
    unpublished: tuple[float, ...] = ()
    #: When a job was last submitted or ended, in boot-time seconds; None when none was since the start.
    last_activity: float | None = None
    #: Why the rest could not be found out; empty when it could.
    unknown: str = ""
    hold: Hold | None = None
    #: The moment of the verdict, in Unix seconds and in boot-time seconds.
    now: float = 0.0
    boottime: float = 0.0
    #: When the service started, or the machine last woke up, in boot-time seconds.
    started: float = 0.0
    #: When the machine last woke up, in boot-time seconds; 0 for its boot.
    awake: float = 0.0
    #: Seconds that it takes from the machine's start until jobs are accepted.
    lead: float = 0.0

    @property
    def uptime(self) -> float:
        """Seconds since the service started, or since the machine last woke up."""
        return self.boottime - self.started

    @property
    def next_moment(self) -> float | None:
        """When anything is due next, in Unix seconds."""
        return min((due for due in (self.next_due, self.next_webhook) if due is not None), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How long the machine stays on for what; in seconds."""

    idle_timeout: float = 900.0
    #: A shorter time between a stop and the next start is not worth a stop.
    min_sleep: float = 300.0
    #: The same when the machine would be started for webhooks alone: whom nobody answers must not keep it on.
    webhook_sleep: float = 3_600.0
    boot_grace: float = 300.0
    #: What the cloud charges at least, counted from the machine's boot or its waking up.
    paid_minute: float = 60.0
    max_uptime: float = 43_200.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the machine stays on."""

    #: For programs: queued, running, due_soon, undelivered, webhook_pending, unpublished, hold, boot_grace,
    #: paid_minute, idle_timeout, or unknown.
    code: str
    #: For people: a clause that goes after "because".
    message: str
    #: Unix seconds at which it ends by itself; None when only work can end it.
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the machine is to stop, and why."""

    stop: bool
    reasons: tuple[Reason, ...]
    #: One sentence for people.
    message: str
    #: The longest uptime is over, so the machine stops in spite of all reasons.
    forced: bool = False

    @property
    def until(self) -> float | None:
        """Unix seconds to which the reasons last at least, unless work ends some of them before."""
        ends = [reason.until for reason in self.reasons]
        return None if None in ends else max(filter(None, ends), default=None)


def judge(facts: Facts, policy: Policy) -> Verdict:
    """Return the verdict: stop when no reason to stay is left, or when the longest uptime is over."""
    reasons = reasons_to_stay(facts, policy)
    because = _listed([reason.message for reason in reasons])
    if facts.uptime >= policy.max_uptime:
        left = f", although {because}" if reasons else ""
        limit = format_duration(policy.max_uptime)
        return Verdict(True, reasons, f"Stopping: the longest uptime, {limit}, is over{left}.", forced=True)
    if reasons:
        return Verdict(False, reasons, f"On because {because}.")
    return Verdict(True, (), "Stopping: nothing is left to do.")


def wake_at(facts: Facts, policy: Policy) -> float | None:
    """Return when the machine must be started if it stops now, in Unix seconds; None if nothing calls for it.

    It is early by the time that a start takes, and sleeps for its shortest sleep at least, also when jobs are
    left that could run: then the stop was not its own wish.
    """
    moments = [facts.now] if facts.queued or facts.running else []
    if facts.next_due is not None:
        moments.append(facts.next_due - facts.lead)
    if facts.next_webhook is not None:
        moments.append(max(facts.next_webhook - facts.lead, facts.now + policy.webhook_sleep))
    return max(min(moments), facts.now + policy.min_sleep) if moments else None


def reasons_to_stay(facts: Facts, policy: Policy) -> tuple[Reason, ...]:
    """Return every reason to stay on that holds now; an empty tuple means that the machine may stop."""
    found = (
        _unknown(facts),
        _queued(facts),
        _running(facts),
        _due_soon(facts, policy),
        _undelivered(facts),
        _webhook_pending(facts),
        _unpublished(facts),
        _held(facts),
        _recent_work(facts, policy),
        _boot_grace(facts, policy),
        _paid_minute(facts, policy),
    )
    return tuple(reason for reason in found if reason)


def _unknown(facts: Facts) -> Reason | None:
    return Reason("unknown", f"the jobs cannot be counted ({facts.unknown})") if facts.unknown else None


def _queued(facts: Facts) -> Reason | None:
    return Reason("queued", _count(facts.queued, "job waits", "jobs wait")) if facts.queued else None


def _running(facts: Facts) -> Reason | None:
    return Reason("running", _count(facts.running, "job runs", "jobs run")) if facts.running else None


def _due_soon(facts: Facts, policy: Policy) -> Reason | None:
    """Return the reason until the job is due; what holds then is that it waits."""
    away = None if facts.next_due is None else facts.next_due - facts.now
    if away is None or away > facts.lead + policy.min_sleep:
        return None
    if away <= 0:
        return Reason("due_soon", "a deferred or scheduled job is due now")
    return Reason(
        "due_soon", f"a deferred or scheduled job is due in {format_duration(away)}", facts.next_due
    )


def _undelivered(facts: Facts) -> Reason | None:
    words = "result has not been read", "results have not been read"
    return _awaited(facts, facts.unread, "undelivered", *words)


def _webhook_pending(facts: Facts) -> Reason | None:
    return _awaited(facts, facts.pending_webhooks, "webhook_pending", "webhook waits", "webhooks wait")


def _unpublished(facts: Facts) -> Reason | None:
    words = "result is not in the mirror yet", "results are not in the mirror yet"
    return _awaited(facts, facts.unpublished, "unpublished", *words)


def _awaited(facts: Facts, ends: tuple[float, ...], code: str, one: str, many: str) -> Reason | None:
    """Return the reason while one at least of so many is still waited for, on the boot-time clock."""
    waiting = [end for end in ends if end > facts.boottime]
    return _until(facts, max(waiting), code, _count(len(waiting), one, many)) if waiting else None


def _held(facts: Facts) -> Reason | None:
    if facts.hold is None:
        return None
    return _until(facts, facts.hold.until, "hold", f"{facts.hold.by} holds it ({facts.hold.why})")


def _recent_work(facts: Facts, policy: Policy) -> Reason | None:
    if facts.last_activity is None:
        return None
    age = format_duration(facts.boottime - facts.last_activity)
    return _until(
        facts, facts.last_activity + policy.idle_timeout, "idle_timeout", f"the last work was {age} ago"
    )


def _boot_grace(facts: Facts, policy: Policy) -> Reason | None:
    message = f"it started {format_duration(facts.uptime)} ago"
    return _until(facts, facts.started + policy.boot_grace, "boot_grace", message)


def _paid_minute(facts: Facts, policy: Policy) -> Reason | None:
    message = f"the first {format_duration(policy.paid_minute)} since boot are paid anyway"
    return _until(facts, facts.awake + policy.paid_minute, "paid_minute", message)


def _until(facts: Facts, end: float, code: str, message: str) -> Reason | None:
    """Return the reason while the boot-time clock has not reached `end`."""
    left = end - facts.boottime
    return Reason(code, message, facts.now + left) if left > 0 else None


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _listed(clauses: list[str]) -> str:
    return " and ".join([", ".join(clauses[:-1]), clauses[-1]] if len(clauses) > 1 else clauses)
