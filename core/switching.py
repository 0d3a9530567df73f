"""The power switches in their turn: which is next, what each is known to lack, how the last run went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.errors import BusError, SwitchFailed
from core.machine import Switch, SwitchRun, SwitchStatus, problem_of


class Switching:
    """Run one switch after the other, the next one whenever one has failed."""

    def __init__(self, switches: Sequence[Switch]) -> None:
        self._switches = tuple(switches)
        self._turn = 0
        self._problems: tuple[str | None, ...] = (None,) * len(self._switches)
        #: Whether one has failed since all were asked.
        self.doubtful = False
        self.last_run: SwitchRun | None = None

    def __bool__(self) -> bool:
        """Return whether there is any switch."""
        return bool(self._switches)

    @property
    def next(self) -> Switch:
        """The switch whose turn it is."""
        return self._switches[self._turn % len(self._switches)]

    def check(self) -> Iterator[str]:
        """Ask every switch whether it will work, which may take seconds; yield what is wrong."""
        self.doubtful = False
        self._problems = tuple(problem_of(switch) for switch in self._switches)
        yield from filter(None, self._problems)

    def statuses(self) -> tuple[SwitchStatus, ...]:
        """Return each switch with what was wrong with it when it was last asked; None before that."""
        checked = zip(self._switches, self._problems, strict=True)
        return tuple(SwitchStatus(switch.name, problem) for switch, problem in checked)

    def resume(self, run: SwitchRun) -> None:
        """Go on where another process has run a switch: it is that one's turn."""
        self.last_run = run
        names = [switch.name for switch in self._switches]
        if run.switch in names:
            self._turn = names.index(run.switch)

    def run(self, now: float) -> None:
        """Run the switch whose turn it is. Raises SwitchFailed, also for what nobody foresaw."""
        self.last_run = SwitchRun(now, self.next.name)
        try:
            self.next.off()
        except BusError as error:
            raise SwitchFailed(f"{error.message} {error.hint}".strip()) from error
        except Exception as error:
            raise SwitchFailed(f"{type(error).__name__}: {error}") from error

    def give_up(self, error: str) -> str:
        """Note that the run failed, let the next switch have its turn, and return what there is to tell."""
        self._turn += 1
        self.doubtful = True
        if self.last_run is None:
            return error
        self.last_run = replace(self.last_run, error=error)
        return f"{self.last_run.switch}: {error}"
