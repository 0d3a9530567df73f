"""Events by way of files: an append-only file a day beside the queue, which any number of processes share.

`tail -f events/2026-11-22.jsonl` shows them too. An event survives the death of the bus once it is written,
a hundredth of a second after it was told; of a power cut it promises nothing. Jobs are kept elsewhere.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from core.clock import Clock, SystemClock
from core.event_message import EventMessage, encoded
from queues.event_files import EventWriter
from queues.event_outgoing import Complain, Outgoing
from queues.event_reader import EventReader
from queues.folder_watch import FolderWatch

Receive = Callable[[EventMessage], object]

#: Seconds after which the journal is looked at although nothing was heard of it.
_GLANCE = 30.0
_TROUBLE = 1.0  # seconds before reading is tried again
_LAST_WORDS = 2.0  # seconds that an end waits for a callback that is running


class EventJournal:
    """Carry messages through the files of a folder, to every program that reads them.

    At most `kept` bytes of them are kept, for `days`. `complain` is told in a sentence when they cannot be
    written or read, and when they can be again.
    """

    def __init__(
        self,
        folder: str,
        *,
        complain: Complain = lambda sentence: None,
        clock: Clock | None = None,
        kept: int = 64 << 20,
        days: float = 7.0,
    ) -> None:
        self._folder = folder
        self._complain = complain
        self._writer = EventWriter(folder, clock or SystemClock(), kept=kept, days=days)
        self._outgoing = Outgoing(self._writer.write, name="event journal", complain=complain)
        self._lock = threading.Lock()
        #: Who reads from a place of his own, and one more for all who read from now on.
        self._followers: list[_Follower] = []

    def send(self, message: EventMessage) -> None:
        """Have the message written soon. Raises InvalidRequest for a payload that cannot be."""
        self._outgoing.send(encoded(message))

    def attach(self, receive: Receive, *, since: str | None = None) -> None:
        """Call `receive` with every message written from now on, or after a cursor, in a thread."""
        with self._lock:
            shared = next((known for known in self._followers if known.shared), None)
            if since is None and shared is not None:
                shared.receivers = (*shared.receivers, receive)
                return
            os.makedirs(self._folder, 0o750, exist_ok=True)
            reader = EventReader(self._folder, since=since)
            self._followers.append(
                _Follower(self._folder, reader, receive, self._complain, shared=since is None)
            )

    def detach(self, receive: Receive) -> None:
        """Stop calling `receive`."""
        with self._lock:
            for known in self._followers:
                known.receivers = tuple(one for one in known.receivers if one != receive)
            unheard = [known for known in self._followers if not known.receivers]
            self._followers = [known for known in self._followers if known.receivers]
        for known in unheard:
            known.stop()

    def close(self) -> None:
        """Write what was sent, and let go of everything."""
        with self._lock:
            followers, self._followers = self._followers, []
        for known in followers:
            known.stop()
        if self._outgoing.close():
            self._writer.close()


class _Follower:
    """A thread that reads on and hands over."""

    def __init__(
        self, folder: str, reader: EventReader, receive: Receive, complain: Complain, *, shared: bool
    ) -> None:
        self.receivers: tuple[Receive, ...] = (receive,)
        self.shared = shared
        self._reader = reader
        self._complain = complain
        self._watch = FolderWatch(folder)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand over nothing more, and wait for what is being handed over, unless that calls this."""
        self._stopped.set()
        self._watch.ring()
        if threading.current_thread() is not self._thread:
            self._thread.join(_LAST_WORDS)

    def _run(self) -> None:
        trouble = ""
        while not self._stopped.is_set():
            try:
                if not self._hand_over():
                    self._watch.wait(_GLANCE)
                trouble = ""
            except OSError as error:
                if trouble != str(error):
                    trouble = str(error)
                    self._complain(f"Events cannot be read: {trouble}.")
                self._stopped.wait(_TROUBLE)
        self._reader.close()
        self._watch.close()

    def _hand_over(self) -> bool:
        messages = self._reader.read()
        for message in messages:
            for receive in self.receivers:
                receive(message)
        return bool(messages)
