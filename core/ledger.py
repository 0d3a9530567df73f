"""The cost ledger: a line for each boot session, kept up to date while it lasts, closed at the next start."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.boots import LONGEST, Boots, Moments
from core.bursts import Work, Workload
from core.clock import seconds_slept
from core.event_bus import KERNEL, EventBus, EventMessage
from core.jobs import Json
from core.json_lines import DAMAGE, append_line, read_lines
from core.sessions import Session, line_of, session_from
from core.strict_json import parse
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock

#: Seconds between two savings: so much may be missing of a session that ended without a word.
BEAT = 60.0

_LONGEST_PART = 86_400.0
_ASLEEP = 1.0  # seconds; less is the two clocks' being read one after the other
_NO_WORD = "It ended without a word; the last known moment is taken."
_FELL_ASLEEP = "The machine was put to sleep."
_GOES_ON = "It goes on in the next part."


class Ledger:
    """Keep the session that goes on in `session.json`, and those that are over in `sessions.jsonl`.

    One bus at a time keeps a folder. Durations are taken by the boot-time clock; the wall clock gives dates.
    """

    def __init__(
        self,
        folder: Path,
        events: EventBus,
        clock: Clock,
        *,
        boots: Boots,
        moments: Callable[[], Moments],
        has_work: Callable[[], bool] = lambda: False,
        priced: Callable[[Session], Mapping[str, Json]] = lambda session: {},
    ) -> None:
        """Ask `moments` once, `has_work` at each saving; `priced` returns what a line tells of cost."""
        self.boots = boots
        self._folder = folder
        self._events = events
        self._clock = clock
        self._moments = moments
        self._has_work = has_work
        self._priced = priced
        self._workload = Workload(events, clock)
        self._session: Session | None = None
        #: The session of an earlier boot, until its line is kept.
        self._past: Session | None = None
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        events.subscribe("ledger", "system.shutdown", self._note_stop)
        events.subscribe("ledger", "system.reopened", self._note_reopening)

    def start(self, accepting: float) -> None:
        """Keep the books from now on, in a thread; jobs are accepted since that boot-time second."""
        self._thread = threading.Thread(target=self._run, args=(accepting,), name="ledger", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, waiting a little for what it writes."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def begin(self, accepting: float) -> None:
        """Record the boot; close the session of an earlier one, or go on with this one's. Raises OSError."""
        moments = self._moments()
        self._attempt(partial(self.boots.record, moments, accepting))
        self._open(moments, accepting)

    def beat(self) -> None:
        """Bring the session up to date and save it. Raises OSError."""
        if self._session is None:
            return
        if self._has_work():
            self._workload.touch()
        with self._lock:
            self._close_past()
            session = self._refreshed()
            if _is_long(session, self._clock.now()):
                cut = replace(session, ends=False, clean=True, why=_GOES_ON)
                session = self._next_part(cut, session.began + session.seconds)
            self._session = session
            write_whole(self._folder / "session.json", _spread(line_of(session)), durable=True)
        self.boots.keep_first_claim()

    def sessions(self) -> list[Session]:
        """Return all sessions that are kept, part by part, with the one that goes on. Raises OSError."""
        with self._lock:
            session = self._session = self._refreshed() if self._session is not None else None
            # After a crash between the closing of a part and the saving of the next one it is told twice.
            known = (*self._read(), self._past, session)
            kept = {one.name: one for one in known if one is not None}
        return list(kept.values())

    def _run(self, accepting: float) -> None:
        self._attempt(partial(self.begin, accepting))
        while not self._clock.wait(self._halt, BEAT):
            self._attempt(self.beat)

    def _open(self, moments: Moments, accepting: float) -> None:
        with self._lock:
            known = self._kept()
            if known is not None and known.boot_id == moments.boot_id:
                self._session = replace(known, restarts=known.restarts + 1, clean=None, why="")
                self._workload.resume(known.work.shifted(known.began))
            else:
                self._past = known and _over(known)
                self._session = self._first_part(moments, accepting)
        self.beat()

    def _close_past(self) -> None:
        """Keep the line of the session before; where that fails, its file is not written over yet."""
        if self._past is not None:
            self._append(self._past)
            self._past = None

    def _attempt(self, step: Callable[[], object]) -> None:
        """Do it; what goes wrong costs a line of the ledger, and no job waits for that."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  Whatever it was, the next session must be kept.
            self._warn(f"The ledger cannot be kept: {type(error).__name__}: {error}")

    def _first_part(self, moments: Moments, accepting: float) -> Session:
        """Return this boot's session; it begins with the service where nobody watched the machine start."""
        watched = accepting + moments.firmware <= LONGEST
        began = -moments.firmware if watched else moments.process
        return Session(
            boot_id=moments.boot_id,
            start=self._clock.now() - self._clock.boottime() + began,
            seconds=self._clock.boottime() - began,
            ready=accepting - began,
            began=began,
            slept=self._slept(),
        )

    def _refreshed(self) -> Session:
        """Return the session as it stands at this moment: another part of it if the machine has slept."""
        session, slept = self._session, self._slept()
        assert session is not None  # noqa: S101  Both callers have looked.
        if slept - session.slept > _ASLEEP:
            woke = session.began + session.seconds + slept - session.slept
            asleep = replace(session, clean=True, why=session.why or _FELL_ASLEEP)
            session = self._next_part(asleep, woke, starts=True)
        seconds = max(0.0, self._clock.boottime() - session.began)
        work = self._workload.work().shifted(-session.began)
        start = self._clock.now() - seconds
        return replace(session, start=start, seconds=seconds, work=work, slept=slept)

    def _next_part(self, session: Session, began: float, *, starts: bool = False) -> Session:
        """Close a part, and return the one that begins at that moment of the boot-time clock."""
        self._append(session)
        self._workload.forget(session.work, began)
        passed = self._clock.boottime() - began
        return replace(
            session,
            part=session.part + 1,
            starts=starts,
            ends=True,
            start=self._clock.now() - passed,
            seconds=passed,
            ready=0.0,
            work=Work(),
            restarts=0,
            clean=None,
            why="",
            began=began,
            slept=self._slept(),
        )

    def _append(self, session: Session) -> None:
        append_line(self._folder / "sessions.jsonl", {**line_of(session), **self._priced(session)})

    def _slept(self) -> float:
        """Return the seconds that the machine has slept since it booted."""
        return max(0.0, seconds_slept(self._clock))

    def _kept(self) -> Session | None:
        """Return the session that went on when it was last saved."""
        path = self._folder / "session.json"
        try:
            return session_from(parse(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, *DAMAGE) as error:
            self._warn(f"{path} is damaged, so a session is missing from the ledger: {error!r}")
            return None

    def _read(self) -> Iterator[Session]:
        path = self._folder / "sessions.jsonl"
        for number, line in read_lines(path, self._warn):
            try:
                yield session_from(line)
            except DAMAGE as error:
                self._warn(f"{path}:{number} is damaged and left out: {error!r}")

    def _note_stop(self, message: EventMessage) -> None:
        self._note_word(message, clean=True, why=message.payload["message"])

    def _note_reopening(self, message: EventMessage) -> None:
        self._note_word(message, clean=None, why="")

    def _note_word(self, message: EventMessage, *, clean: bool | None, why: str) -> None:
        """Save that the bus said so: the machine may be off before the next beat."""
        if message.source_agent != KERNEL:
            return
        with self._lock:
            if self._session is None or self._session.clean == clean:
                return
            # What the machine slept since belongs before the word.
            self._session = replace(self._refreshed(), clean=clean, why=why)
        self._attempt(self.beat)

    def _warn(self, sentence: str) -> None:
        """Tell it once, not every minute until it is over."""
        if sentence not in self._told:
            self._told.add(sentence)
            self._events.publish("system.warning", KERNEL, {"message": sentence})


def _over(session: Session) -> Session:
    """Return a session that the machine has survived, with or without a word."""
    return session if session.clean else replace(session, clean=False, why=_NO_WORD)


def _is_long(session: Session, now: float) -> bool:
    """Return whether the part is to be closed: a month is over by the wall clock, or a day by the other."""
    months = {(moment.year, moment.month) for moment in map(_date, (session.start, now))}
    return session.seconds >= _LONGEST_PART or len(months) > 1


def _date(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _spread(line: Mapping[str, Json]) -> str:
    """Return the object as JSON with a line for each of its fields, for whoever looks with `cat`."""
    fields = (f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in line.items())
    return "{\n" + ",\n".join(fields) + "\n}\n"
