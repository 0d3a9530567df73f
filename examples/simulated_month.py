"""A month of four bursts of 15 minutes a day, through the real ledger with a clock of its own: what it costs.

    .venv/bin/python -m examples.simulated_month

Each burst starts the machine, which takes 24 seconds to accept jobs; then 15 jobs of a minute run one after
the other. The real idle policy decides when the machine stops. Nothing waits: a month takes some seconds.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from core.bill import month_of
from core.books import Books
from core.boots import Moments
from core.event_bus import KERNEL, EventBus, LocalTransport
from core.idle import Facts, Policy, judge
from core.ledger import BEAT
from core.prices import Prices, load_prices
from core.replay import Habit
from core.statement import Statement, statement_of
from core.timing import format_duration

MONTH = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
BURSTS_A_DAY = 4
JOBS, JOB = 15, 60.0
#: When the first program runs, when the service is started, and when it accepts jobs.
KERNEL_UP, SERVICE_UP, ACCEPTING = 6.0, 23.0, 24.0
GRACE = 300.0

_DAY = 86_400.0
#: Seconds of each session before the kernel's clock begins, and after the ledger's last word.
_UNSEEN = 60.0
_PRICES = Path(__file__).resolve().parent.parent / "prices.toml"
_MEDIUM = {"machine": "e2-medium in us-central1", "machine_per_hour": 0.03351}
#: What has room for the bus and its browser: `deploy.sh --disk=10 --disk-type=pd-standard`.
_LEAN = {"disk_gb": 10.0, "disk_per_gb_month": 0.04}


class MachineClock:
    """The clocks of a machine: one of them begins anew whenever it is started."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._since_boot = 0.0

    def now(self) -> float:
        """Return Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the machine was started."""
        return self._since_boot

    def boottime(self) -> float:
        """Return the same: this machine never sleeps."""
        return self._since_boot

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Let the time pass at once."""
        self.advance(timeout or 0.0)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let the machine be on for so long."""
        self._now += seconds
        self._since_boot += seconds

    def start_at(self, moment: float) -> None:
        """Have the machine off until then."""
        self._now = max(self._now, moment)
        self._since_boot = 0.0


def main() -> int:
    """Print the table; return 0 when on-demand costs a tenth of always-on at most, without the disk."""
    prices = load_prices(_PRICES)
    statements = {idle: simulated(idle, prices) for idle in (900.0, 300.0, 60.0)}
    print("\n".join([*_head(statements[900.0]), ""]))
    print("\n".join([*_table(statements, prices), ""]))
    print("\n".join(_replayed(statements[900.0])))
    return 0 if statements[900.0].ratio_without_disk <= 0.1 else 1


def simulated(idle: float, prices: tuple[Prices, ...]) -> Statement:
    """Return the statement of the month with that idle time, in seconds."""
    clock = MachineClock(MONTH)
    with tempfile.TemporaryDirectory(prefix="aafai-month-") as folder:
        for number, burst in enumerate(_bursts()):
            clock.start_at(burst)
            _session(Path(folder), clock, idle, boot=f"boot-{number}")
        # The ledger closes a session at the next start.
        clock.start_at(month_of(MONTH).end)
        books = _started(Path(folder), EventBus(LocalTransport()), clock, boot="the next month")
        habit = Habit(idle=idle, boot=books.ledger.boots.accepting_within(50), grace=GRACE)
        return statement_of(books.ledger.sessions(), prices, at=MONTH, now=clock.now(), habit=habit)


def _bursts() -> Iterator[float]:
    days = round(month_of(MONTH).seconds / _DAY)
    yield from (MONTH + number * _DAY / BURSTS_A_DAY for number in range(days * BURSTS_A_DAY))


def _session(folder: Path, clock: MachineClock, idle: float, *, boot: str) -> None:
    """Start the machine, run the jobs of a burst, and stop when the idle policy says so."""
    events = EventBus(LocalTransport())
    books = _started(folder, events, clock, boot=boot)
    job = {"job_id": boot, "action": "fakejob"}
    for _ in range(JOBS):
        events.publish("task.queued", KERNEL, job)
        events.publish("task.started", KERNEL, job)
        clock.advance(JOB)
        events.publish("task.completed", KERNEL, job)
    books.ledger.beat()
    last, policy = clock.boottime(), Policy(idle_timeout=idle, boot_grace=GRACE)
    while not (verdict := judge(_facts(clock, last), policy)).stop:
        clock.advance((verdict.until or clock.now() + BEAT) - clock.now())
    events.publish("system.shutdown", KERNEL, {"message": verdict.message})


def _facts(clock: MachineClock, last: float) -> Facts:
    return Facts(last_activity=last, now=clock.now(), boottime=clock.boottime(), started=ACCEPTING)


def _started(folder: Path, events: EventBus, clock: MachineClock, *, boot: str) -> Books:
    moments = Moments(boot_id=boot, kernel=KERNEL_UP, service=SERVICE_UP, process=SERVICE_UP)
    books = Books(folder / "power", events, clock, prices=_PRICES, moments=lambda: moments)
    clock.advance(ACCEPTING)
    books.ledger.begin(clock.boottime())
    return books


def _head(statement: Statement) -> Iterator[str]:
    prices, sessions = statement.prices, statement.sessions
    days = round(statement.window.seconds / _DAY)
    jobs = sum(one.jobs for one in sessions)
    yield f"{days} days, {len(sessions)} starts, {jobs:,} jobs of {JOB:.0f} s in {BURSTS_A_DAY} bursts a day."
    yield f"From start to accepting {ACCEPTING:.0f} s. Amounts in {prices.currency} a month, by prices.toml:"
    yield f"{prices.machine} at {prices.machine_per_hour:g} an hour, {prices.disk_gb:g} GB of disk at"
    yield f"{prices.disk_per_gb_month:g}, {prices.address} address at {prices.address_per_hour:g} an hour."
    unseen = len(sessions) * _UNSEEN
    more = (sum(one.seconds for one in sessions) + unseen) / statement.window.seconds
    yield f"What no program on the machine sees of a start and a stop, say {_UNSEEN:.0f} s for both, would be"
    yield f"{unseen / 3600:.1f} hours more: in the first row {more:.1%} of always-on, without the disk."


def _table(statements: dict[float, Statement], prices: tuple[Prices, ...]) -> Iterator[str]:
    usual, lean = prices[-1].disk_gb, _LEAN["disk_gb"]
    yield (
        "| machine | idle time | hours on | compute + address | always on | ratio"
        f" | with {usual:g} GB of disk | always on | ratio | with {lean:g} GB, standard | always on | ratio |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for machine in (prices, tuple(replace(one, **_MEDIUM) for one in prices)):
        for idle, statement in statements.items():
            yield _row(idle, _again(statement, machine), _again(statement, _lean(machine)))


def _lean(prices: tuple[Prices, ...]) -> tuple[Prices, ...]:
    return tuple(replace(one, **_LEAN) for one in prices)


def _again(statement: Statement, prices: tuple[Prices, ...]) -> Statement:
    """Return the statement of the same sessions by other prices."""
    now, habit = statement.window.end, Habit(idle=0.0, boot=ACCEPTING)
    return statement_of(statement.sessions, prices, at=MONTH, now=now, habit=habit)


def _row(idle: float, usual: Statement, lean: Statement) -> str:
    paid, full = usual.on_demand, usual.always_on
    hours = sum(one.seconds for one in usual.sessions) / 3600
    return (
        f"| {usual.prices.machine.split()[0]} | {format_duration(idle)} | {hours:.1f}"
        f" | {paid.compute + paid.address:.2f} | {full.compute + full.address:.2f}"
        f" | {usual.ratio_without_disk:.1%}"
        f" | {paid.total:.2f} | {full.total:.2f} | {usual.ratio:.1%}"
        f" | {lean.on_demand.total:.2f} | {lean.always_on.total:.2f} | {lean.ratio:.1%} |"
    )


def _replayed(statement: Statement) -> Iterator[str]:
    yield "The same month replayed with other idle times, from what the ledger recorded:"
    yield ""
    yield "| idle time | starts | hours on | cost with the disk |"
    yield "|---|---:|---:|---:|"
    for trial in statement.trials:
        hours = trial.played.seconds / 3600
        told = f"{trial.played.starts} | {hours:.1f} | {trial.amounts.total:.2f}"
        yield f"| {format_duration(trial.idle)} | {told} |"


if __name__ == "__main__":
    sys.exit(main())
