"""News: what standing subscriptions want to hear, kept until it is written to them."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage
from core.letters import Letter, letter_of_event

if TYPE_CHECKING:
    from core.clock import Clock
    from core.subscriptions import Subscription

_MOST = 10_000
#: What a bus says last of all.
_LAST_WORD = "system.shutdown"


class News:
    """Listen for standing subscriptions.

    Everybody's events are told on `told`, those of this bus on `events` as well. `ring` is called when
    something was heard that somebody wants. Without subscriptions nobody listens.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        told: EventBus | None,
        events: EventBus,
        *,
        ring: Callable[[], object],
    ) -> None:
        self._subscriptions = tuple(subscriptions)
        self._told = told if subscriptions else None
        self._ring = ring
        #: Each with a receiver that wants it, oldest first.
        self._heard: deque[tuple[EventMessage, str]] = deque(maxlen=_MOST)
        #: The last word of this bus, and those that were heard.
        self._last_word: EventMessage | None = None
        self._last_words: deque[EventMessage] = deque(maxlen=10)
        if self._told is not None:
            events.subscribe(KERNEL, _LAST_WORD, self._note_last_word)

    @property
    def waiting(self) -> bool:
        """Whether something was heard and is not written."""
        return bool(self._heard)

    @property
    def complete(self) -> bool:
        """Whether all that this bus has told was heard: its last word comes after everything else."""
        return self._last_word is None or self._last_word in self._last_words

    def listen(self) -> None:
        """Begin to listen."""
        if self._told is not None:
            self._told.subscribe("webhooks", None, self.hear)

    def hear(self, message: EventMessage) -> None:
        """Keep what somebody wants."""
        if message.event_type == _LAST_WORD:
            self._last_words.append(message)
        receivers = {one.url for one in self._subscriptions if one.wants(message.event_type)}
        self._heard.extend((message, url) for url in sorted(receivers))
        if receivers:
            self._ring()

    def close(self) -> None:
        """Listen no more."""
        if self._told is not None:
            self._told.close()

    def forget(self) -> None:
        """Write nothing of what was heard: another process does."""
        self._heard.clear()

    def write(self, put: Callable[[Letter], object], clock: Clock) -> None:
        """Have each written by `put`; what it raises is raised, and what could not be written is kept."""
        while self._heard:
            message, url = self._heard.popleft()
            name = f"msg_{secrets.token_hex(16)}"
            try:
                put(letter_of_event(message, url=url, name=name, now=clock.now()))
            except OSError:
                self._heard.appendleft((message, url))
                raise

    def _note_last_word(self, message: EventMessage) -> None:
        self._last_word = message
