"""The prose of docs/benchmarks.md: what each group of figures is, and how it was taken."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """One group of figures."""

    title: str
    prose: str
    #: What the name of a figure must match to stand here.
    pattern: str

    def holds(self, figure: str) -> bool:
        """Return whether the figure belongs here."""
        return re.search(self.pattern, figure) is not None


OPENING = """The bus beside other queues for Python, on the same work, on the same disk, in the same run.
`make bench` takes every figure anew, installs what it compares with into an environment of its
own, and rewrites this page.

The job does nothing: about 200 bytes of JSON go in, the same come out, and the result is stored.
Contenders take turns within a round, another one goes first in each round, and each cell has a
fresh folder. Each contender has the settings that make it durable, where it has any, and of its
kinds of workers the one that is best for it; where it polls, latency is taken with shorter waits
than it comes with, and idle processor time with its own. Read the figures as ratios: what differs
by less than a fifth does not differ."""

#: Tried in this order: a figure belongs to the first section that holds it.
SECTIONS = (
    Section(
        "Submit",
        """Jobs acknowledged a second, nobody working them off, from threads of one process. The bare protocol
is a loop that writes a file, fsyncs it, renames it and fsyncs its folder, with no queue around it.""",
        r"^submit(, \d+ clients?| in batches of [\d,]+)$",
    ),
    Section(
        "Drain",
        """Waiting jobs worked off a second, four at once, from the beginning of the first to the beginning of
the last; then every result must be there. What a worker needs to start is left out, and after ten
seconds what was done by then counts. RQ works without its fork for each job here, and with it where
each job has a process of its own.""",
        r"^drain of [\d,]+( process jobs)?$",
    ),
    Section(
        "Submit to result",
        "One job at a time on an idle stack, 500 of them, until the client has the result.",
        r"^submit to result, ",
    ),
    Section(
        "On a slow disk",
        """Every fsync takes two milliseconds longer, as on the volumes that clouds rent out, for clients,
workers and servers alike: a small library is loaded before each of them.""",
        r", slow disk$",
    ),
    Section(
        "Start",
        """From exec until a job that waits begins: of the worker alone, and of the worker after its server.
All files were read before.""",
        r"^exec of ",
    ),
    Section(
        "Memory and idleness",
        """Of all processes of the stack: server, worker, and the client where it is one process with them.
Processor time is taken of all stacks at once, while nobody asks anything of them.""",
        r"^memory, (resident|shared)|^idle",
    ),
    Section(
        "Over HTTP",
        """The bus under gunicorn, one process, beside a bare Flask on gunicorn's own threaded worker with as
many threads.""",
        r"HTTP|/inbound|/health|poll|exec to accepting",
    ),
    Section(
        "With many jobs waiting",
        "The bus alone, its folder laid out beforehand.",
        r" waiting$",
    ),
    Section(
        "Events",
        """Events told in one program until ten subscribers have heard all of them: ten in that program,
beside ten bare queues with a thread each, and ten in programs of their own, for which the aim is 5,000
a second. All of them come through the journal's files. What it costs to tell one is the time that its
publisher loses.""",
        r"^events to|^telling",
    ),
    Section("Further figures", "What has no section of its own.", r""),
)

POWER_CUT = """Each queue acknowledges its jobs one after the other; at once after the last
acknowledgement the file system is shut down by the ioctl that drops everything it has not
written, its journal's memory included. It is mounted again, the queue is opened again, and what
waits in it is counted. Who lost anything is hatched in the charts, and no goal is measured by him."""

REMARKS = """- The bus and persist-queue are libraries here, client and workers in one process; the others
  have a process for each, which costs them a way between processes and buys them a second interpreter.
- persist-queue and dirq are bare queues: the loop that works jobs off is ours, results lie in a second
  queue; in memory, start and idleness no goal is measured by them. Procrastinate keeps no results,
  only that a job succeeded.
- Huey takes a job out of its queue before it runs: a worker that dies loses it, whatever the disk does.
- No peer pays for a network: its server runs on the same machine.
- The load average, of the minute before a figure was taken, counts the measured processes too."""
