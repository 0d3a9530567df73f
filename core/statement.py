"""The statement of a month: cost, savings, the share of each action, and what other idle times would cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.bill import Amounts, Window, always_on, month_of, on_demand, running
from core.bursts import Burst
from core.prices import Prices, in_force
from core.replay import Habit, Played, play
from core.sessions import Session

#: The other idle times that are tried, in seconds.
IDLE_TIMES = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What the jobs of an action cost: of each session, by its part of the seconds in which jobs ran."""

    action: str
    jobs: int
    run_seconds: float
    #: Of computing and the address, while there was work.
    cost: float

    @property
    def cost_per_job(self) -> float:
        """The same for one job."""
        return self.cost / self.jobs if self.jobs else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What another idle time would have cost."""

    idle: float
    played: Played
    amounts: Amounts


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a month came to, as far as it has gone. Seconds; amounts in the currency of the prices."""

    month: Window
    #: The part of the month that is reckoned: since the first session that is kept, until now.
    window: Window
    prices: Prices
    sessions: tuple[Session, ...]
    on_demand: Amounts
    always_on: Amounts
    shares: tuple[Share, ...]
    #: What computing and the address cost while the machine started, and while it had nothing to do.
    booting: float
    idle: float
    trials: tuple[Trial, ...]

    @property
    def saved(self) -> float:
        """What switching off has saved; below 0 if it has cost."""
        return self.always_on.total - self.on_demand.total

    @property
    def ratio(self) -> float:
        """What was paid in proportion to a machine that is always on; 1 where that would be free."""
        return self.on_demand.total / self.always_on.total if self.always_on.total > 0 else 1.0

    @property
    def ratio_without_disk(self) -> float:
        """The same of computing and the address alone, before any free tier."""
        paid, full = self.on_demand, self.always_on
        whole = full.compute + full.address
        return (paid.compute + paid.address) / whole if whole > 0 else 1.0


def statement_of(
    sessions: Iterable[Session], prices: Sequence[Prices], *, at: float, now: float, habit: Habit
) -> Statement:
    """Return the statement of the month in which `at` lies, until `now`; of all that is kept, its sessions.

    A part of a session belongs to the month in which it began. The time counts from the first session that is
    kept: before it nobody was looking. `habit` is how the machine goes about being on at present.
    """
    month, everything = month_of(at), sorted(sessions, key=lambda one: one.start)
    began = max(month.start, min(everything[0].start, month.end)) if everything else month.start
    window = Window(began, max(began, min(now, month.end)))
    chosen = tuple(one for one in everything if month.start <= one.start < month.end)
    shares, booting, idle = _shared(chosen, prices)
    return Statement(
        month=month,
        window=window,
        prices=in_force(prices, window.last),
        sessions=chosen,
        on_demand=on_demand(chosen, prices, window),
        always_on=always_on(prices, window),
        shares=shares,
        booting=booting,
        idle=idle,
        trials=tuple(_trials(chosen, prices, window, habit)),
    )


def _shared(sessions: Iterable[Session], prices: Sequence[Prices]) -> tuple[tuple[Share, ...], float, float]:
    """Return the share of each action, and what starting and idling cost: together all of being on."""
    shares: dict[str, Share] = {}
    booting = idle = 0.0
    for session in sessions:
        amounts = running(in_force(prices, session.start), session.billed)
        by_second = (amounts.compute + amounts.address) / session.billed if session.billed else 0.0
        boot = min(session.ready or 0.0, session.billed)
        working = min(session.working, session.billed - boot) if session.run_seconds else 0.0
        booting += boot * by_second
        idle += (session.billed - boot - working) * by_second
        for action, taken in session.work.actions.items():
            part = taken.seconds / session.run_seconds if session.run_seconds else 0.0
            known = shares.get(action, Share(action=action, jobs=0, run_seconds=0.0, cost=0.0))
            shares[action] = Share(
                action=action,
                jobs=known.jobs + taken.jobs,
                run_seconds=known.run_seconds + taken.seconds,
                cost=known.cost + part * working * by_second,
            )
    return tuple(sorted(shares.values(), key=lambda one: -one.cost)), booting, idle


def _trials(
    sessions: Sequence[Session], prices: Sequence[Prices], window: Window, habit: Habit
) -> Iterator[Trial]:
    bursts = [burst for session in sessions for burst in _bursts(session)]
    for idle in sorted({*IDLE_TIMES, habit.idle}):
        played = play(bursts, Habit(idle=idle, boot=habit.boot, grace=habit.grace))
        stand_in = Session(boot_id="", start=window.start, seconds=played.billed)
        yield Trial(idle=idle, played=played, amounts=on_demand([stand_in], prices, window))


def _bursts(session: Session) -> Iterator[Burst]:
    yield from session.work.shifted(session.start).bursts
