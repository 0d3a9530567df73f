"""Power cycles of a real server, whose clients submit in the very moments in which it decides to go off."""

from __future__ import annotations

import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import crew_audit
from tests.faults.crew import waited_for
from tests.faults.power_callers import Aim, Callers, a_job, a_long_job, wait_until
from tests.faults.power_machine import Machine, a_machine

#: Submissions for each power cycle, at least.
SUBMISSIONS = 20
#: How many submit in a round, and within how many seconds.
CLIENTS, SPREAD = 20, 0.04
#: Seconds after the decision at which they begin, and at which the fault of a mutant shows.
DELAYS, SHOWING = (0.0, 0.05, 0.2), (0.05,)
#: In which part of the rounds the bus is killed, and how many seconds after the aimed moment.
KILLS, KILLED = 0.08, (-0.1, 0.5)
#: Rounds for each power cycle, at most.
MOST_ROUNDS = 20

#: What must never happen.
FAULTS = {
    **crew_audit.FAULTS,
    "stranded": "jobs that could run when the machine went off",
    "unalarmed": "times that the machine went off, and was not to be started in time for a deferred job",
    "ended_twice": "jobs with two final records",
    "early": "jobs that ran before they were due",
    "crashes": "deaths of the bus that nobody brought about",
    "still_on": "machines that did not go off in the end",
}

#: What the log says of the gate, by what that means.
_LOG = {
    "decisions": re.compile(r"the gate is closed:"),
    "slipped_in": re.compile(r"the gate is open again: On because"),
    "failed_switches": re.compile(r"the gate is open again: the machine is still on"),
    "gone_on_with": re.compile(r"the gate is closed: another process has run the switch"),
}


def cycled(folder: Path, scratch: Path, *, cycles: int, mutant: str = "", seed: int = 0) -> Counter[str]:
    """Return the books of a machine that went through so many power cycles, submitted to all the time.

    However long that takes, one submission at least slips in before the gate closes, and one is refused. It
    is over as soon as the machine has gone off over a job.
    """
    mix, delays = (a_long_job, SHOWING) if mutant else (a_job, DELAYS)
    with a_machine(folder, scratch, mutant=mutant, seed=seed) as machine:
        callers = Callers([machine.url], machine.book, mix, machine=machine)
        try:
            shoot_for(machine, callers, cycles, Aim(random.Random(seed), delays))
        finally:
            callers.stop()
        over = waited_for(lambda: machine.is_off and machine.armed is None)
        books = books_of(machine, callers)
    books["still_on"] = int(not over)
    return books


def shoot_for(machine: Machine, callers: Callers, cycles: int, aim: Aim) -> None:
    """Shoot until the machine went through so many power cycles, or off over a job."""
    for _ in range(MOST_ROUNDS * cycles):
        if machine.counts["stranded"] or _has_seen_enough(machine, callers, cycles):
            return
        shoot(machine, callers, aim)


def shoot(machine: Machine, callers: Callers, aim: Aim) -> None:
    """Let all clients submit around the moment in which the machine decides; perhaps kill the bus, too."""
    chance, moment = aim.chance, aim.moment(machine)
    before = len(callers.refused), machine.counts["cycles"]
    shots = [(moment + chance.uniform(0, SPREAD), callers.mix(chance)) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        submitting = [pool.submit(callers.submit_at, *shot) for shot in shots]
        if chance.random() < KILLS:
            wait_until(moment + chance.uniform(*KILLED))
            machine.kill_bus()
        for submission in submitting:
            submission.result()
    aim.mend(early=before == (len(callers.refused), machine.counts["cycles"]))


def books_of(machine: Machine, callers: Callers) -> Counter[str]:
    """Return what was submitted and what became of it, and how often what happened meanwhile."""
    finals = Counter(path.stem for path in (machine.queues / "outbound").rglob("*.json"))
    books = Counter(dict.fromkeys(FAULTS, 0))
    books.update(machine.counts)
    books.update(crew_audit.audit(machine, callers))
    books.update(
        ended=len(finals),
        ended_twice=sum(number > 1 for number in finals.values()),
        early=crew_audit.recorded_early(machine, callers),
        refused_then_accepted=len(callers.refused & callers.kept.keys()),
        **told_by_log(machine),
    )
    return books


def told_by_log(machine: Machine) -> dict[str, int]:
    """Return how often the gate closed, and how often it opened again for what reason."""
    log = (machine.folder / "log").read_text(errors="replace")
    return {name: len(pattern.findall(log)) for name, pattern in _LOG.items()}


def faults_in(books: Counter[str]) -> dict[str, int]:
    """Return the figures that ought to be zero and are not."""
    return {name: books[name] for name in FAULTS if books[name]}


def in_a_line(books: Counter[str]) -> str:
    """Return the figures in one line."""
    return (
        "{cycles} power cycles, {killed} times kill -9, {boots} starts, {alarms} of them by the alarm; "
        "{acknowledged} accepted, {ended} ended, {lost} lost, {stuck} stuck, {duplicated} duplicated, "
        "{ended_twice} ended twice; {refused_then_accepted} refused with 503 and accepted on retry; "
        "{decisions} decisions to go off, {slipped_in} of them taken back for a job that slipped in and "
        "{failed_switches} because the switch failed; {stranded} jobs left when the machine went off"
    ).format_map(books)


def _has_seen_enough(machine: Machine, callers: Callers, cycles: int) -> bool:
    if machine.counts["cycles"] < cycles or len(callers.kept) < SUBMISSIONS * cycles:
        return False
    return bool(callers.refused) and told_by_log(machine)["slipped_in"] > 0
