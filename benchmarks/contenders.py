"""Who is measured: each queue with the setting that makes it durable, and the command that makes it work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.figures import OURS

#: How many jobs each worker may have under way at once.
SLOTS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One queue in one setting."""

    name: str
    #: The setting that decides what survives a power cut.
    durability: str
    #: Its module in benchmarks/peers.
    module: str
    #: Its name on PyPI; empty for the bus itself.
    distribution: str = ""
    #: Which storage, where a package has several.
    store: str = ""
    #: `redis` or `postgres`; empty where the client's process is all there is.
    server: str = ""
    #: The worker's command, with SLOTS workers; empty where workers are threads of the client's process.
    worker: tuple[str, ...] = ()
    #: Added to the command where latency is measured: shorter waits than the package's own.
    eager: tuple[str, ...] = ()
    #: Variables set to the same end, each as `NAME=value`.
    eager_variables: tuple[str, ...] = ()

    #: A queue and nothing more: the loop that works it off is this package's.
    bare: bool = False

    @property
    def key(self) -> str:
        """A name for folders."""
        return "-".join(filter(None, (self.module, self.store)))


_HUEY = ("huey_consumer", "benchmarks.peers.huey.huey", "-q", "-n")
_POLLED = ("-d", "0.005", "-m", "0.005")
_RQ = ("rq", "worker-pool", "-q", "-n", str(SLOTS), "-S", "json", "-u", "{server}")
_AOF = "Redis, appendfsync always"

BUS = Contender(
    name=OURS,
    durability="journal synced before the answer",
    module="ours",
    store="thread",
)
HUEY_FILE = Contender(
    name="Huey, files",
    durability="none to be had",
    module="huey",
    distribution="huey",
    store="file",
    worker=(*_HUEY, "-k", "thread", "-w", str(SLOTS)),
    eager=_POLLED,
)
HUEY_SQLITE = Contender(
    name="Huey, SQLite",
    durability="WAL, synchronous=FULL",
    module="huey",
    distribution="huey",
    store="sqlite",
    worker=(*_HUEY, "-k", "thread", "-w", str(SLOTS)),
    eager=_POLLED,
)
HUEY_REDIS = Contender(
    name="Huey, Redis",
    durability=_AOF,
    module="huey",
    distribution="huey",
    store="redis",
    server="redis",
    worker=(*_HUEY, "-k", "thread", "-w", str(SLOTS)),
)
#: Without its fork per job, which is its default and stands in a table of its own.
RQ = Contender(
    name="RQ",
    durability=_AOF,
    module="rq",
    distribution="rq",
    server="redis",
    worker=(*_RQ, "-w", "rq.SimpleWorker"),
)
CELERY = Contender(
    name="Celery",
    durability=f"{_AOF}; acks_late",
    module="celery",
    distribution="celery",
    server="redis",
    worker=(
        *("celery", "-q", "-A", "benchmarks.peers.celery", "worker", "-l", "ERROR", "-c", str(SLOTS)),
        *("-P", "prefork", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ),
)
DRAMATIQ = Contender(
    name="Dramatiq",
    durability=_AOF,
    module="dramatiq",
    distribution="dramatiq",
    server="redis",
    worker=(
        *("dramatiq", "benchmarks.peers.dramatiq"),
        *("--processes", "1", "--threads", str(SLOTS)),
    ),
    eager_variables=("dramatiq_worker_timeout=5",),
)
PROCRASTINATE = Contender(
    name="Procrastinate",
    durability="Postgres as it comes",
    module="procrastinate",
    distribution="procrastinate",
    server="postgres",
    worker=(
        *("procrastinate", "--log-level", "warning", "--app", "benchmarks.peers.procrastinate.app"),
        *("worker", "-c", str(SLOTS)),
    ),
)
PERSIST_SQLITE = Contender(
    name="persist-queue, SQLite",
    durability="WAL, synchronous=FULL",
    module="persist_queue",
    distribution="persist-queue",
    store="sqlite",
    bare=True,
)
PERSIST_FILE = Contender(
    name="persist-queue, files",
    durability="none to be had",
    module="persist_queue",
    distribution="persist-queue",
    store="file",
    bare=True,
)
DIRQ = Contender(
    name="dirq",
    durability="none to be had",
    module="dirq",
    distribution="dirq",
    eager_variables=("BENCH_EAGER=1",),
    bare=True,
)

PEERS = (
    HUEY_FILE,
    HUEY_SQLITE,
    HUEY_REDIS,
    RQ,
    CELERY,
    DRAMATIQ,
    PROCRASTINATE,
    PERSIST_SQLITE,
    PERSIST_FILE,
    DIRQ,
)
ALL = (BUS, *PEERS)
#: Those whose acknowledged jobs survive a power cut: what the goals compare with.
DURABLE = (HUEY_SQLITE, HUEY_REDIS, RQ, CELERY, DRAMATIQ, PROCRASTINATE, PERSIST_SQLITE)

#: A process for each job.
BUS_PROCESSES = replace(BUS, store="process")
RQ_PROCESSES = replace(RQ, worker=_RQ)
#: What Debian's package brings: snapshots only.
RQ_DEBIAN = replace(RQ, name="RQ, Redis as Debian ships it", durability="snapshots", server="redis-debian")
