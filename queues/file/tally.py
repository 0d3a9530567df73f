"""How many jobs are in each state: from the folders' listings, read again only where something changed."""

from __future__ import annotations

import re
import threading
from collections import Counter

from core.errors import RecordDamaged, Unsupported
from core.jobs import ALL, Query, State
from queues.file.layout import PRIORITIES, job_id_in, job_ids_in
from queues.file.records import Records
from queues.file.site import Site
from queues.file.watch import Watch
from queues.file.whereabouts import Whereabouts

#: Buckets of which the single jobs are remembered, not only their number.
_HOT_BUCKETS = 8
#: Folders remembered at most.
_REMEMBERED = 100_000
#: Bytes that hold id, state, action and queue of every record that the bus wrote.
_HEAD = 512
_STATE = re.compile(rb'^ "state": "([a-z]+)",$', re.MULTILINE)
_QUEUE = re.compile(rb'^ "queue": "([A-Za-z0-9_.-]+)",$', re.MULTILINE)

#: What tells one ended or deferred job from another in a count.
Kind = tuple[State, str]


class Tally:
    """Count jobs."""

    def __init__(self, site: Site, records: Records, whereabouts: Whereabouts) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._whereabouts = whereabouts
        self._lock = threading.Lock()
        self._watch = Watch(site)
        self._sizes: dict[str, int] = {}
        self._kinds: dict[str, Counter[Kind]] = {}
        self._hot: dict[str, dict[str, Kind]] = {}

    def count(self, query: Query = ALL) -> dict[State, int]:
        """Return how many jobs are in each state; only states and queue narrow it."""
        with self._lock:
            if len(self._sizes) + len(self._kinds) > _REMEMBERED:
                self._start_anew()
            return self._count(query)

    def _count(self, query: Query) -> dict[State, int]:
        totals = dict.fromkeys(State, 0)
        wanted = frozenset(State) if query.states is None else query.states
        if State.QUEUED in wanted:
            totals[State.QUEUED] = self._waiting(query.queue) + self._scheduled(query.queue)
        if State.RUNNING in wanted:
            totals[State.RUNNING] = self._running(query.queue)
        if any(state.ended for state in wanted):
            for (state, queue), number in self._in_buckets("outbound").items():
                if state in wanted and query.queue in {None, queue}:
                    totals[state] += number
        return totals

    def _waiting(self, queue: str | None) -> int:
        queues = self._whereabouts.learn_queues() if queue is None else [queue]
        levels = [self._layout.level(name, priority) for name in queues for priority in PRIORITIES]
        buckets = self._site.folders.buckets
        return sum(self._size(level, bucket) for level in levels for bucket in buckets(level))

    def _size(self, level: str, bucket: str) -> int:
        folder = f"{level}/{bucket}"
        names = self._watch.news(folder)
        if names is not None:
            self._sizes[folder] = len(job_ids_in(bucket, names))
        return self._sizes.get(folder, 0)

    def _scheduled(self, queue: str | None) -> int:
        kinds = self._in_buckets("scheduled")
        return sum(number for (_, name), number in kinds.items() if queue in {None, name})

    def _running(self, queue: str | None) -> int:
        names = self._disk.names(self._layout.top("running"))
        job_ids = [job_id for name in names if (job_id := job_id_in(name))]
        if queue is None:
            return len(job_ids)
        kinds = (self._kind(self._layout.running(job_id), job_id) for job_id in job_ids)
        return sum(1 for kind in kinds if kind is not None and kind[1] == queue)

    def _in_buckets(self, top: str) -> Counter[Kind]:
        folder = self._layout.top(top)
        total: Counter[Kind] = Counter()
        for bucket in self._site.folders.buckets(folder):
            total.update(self._bucket(folder, bucket))
        return total

    def _bucket(self, top: str, bucket: str) -> Counter[Kind]:
        folder = f"{top}/{bucket}"
        names = self._watch.news(folder)
        if names is not None:
            known = self._hot.pop(folder, {})
            self._hot[folder] = {
                job_id: kind
                for job_id in job_ids_in(bucket, names)
                if (kind := known.get(job_id) or self._kind(f"{folder}/{job_id}.json", job_id))
            }
            self._kinds[folder] = Counter(self._hot[folder].values())
            if len(self._hot) > _HOT_BUCKETS:
                del self._hot[next(iter(self._hot))]
        return self._kinds.get(folder, Counter())

    def _kind(self, path: str, job_id: str) -> Kind | None:
        """Return state and queue from the first lines of a record; None if it has gone or is damaged."""
        try:
            head = self._disk.read_file(path, limit=_HEAD)
            state, queue = _STATE.search(head), _QUEUE.search(head)
            # A final record without its state is damaged; anywhere else it means that the job waits.
            if queue is not None and (state or not path.startswith(self._layout.top("outbound"))):
                return State(state[1].decode()) if state else State.QUEUED, queue[1].decode()
            job = self._records.read_final(path, job_id, whole_result=False)  # written by hand, perhaps
        except (FileNotFoundError, RecordDamaged, Unsupported, ValueError):
            return None
        return job.state, job.queue

    def _start_anew(self) -> None:
        """Forget everything, lest the memory of folders long removed pile up."""
        self._watch = Watch(self._site)
        self._sizes.clear()
        self._kinds.clear()
        self._hot.clear()
