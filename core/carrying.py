"""One attempt at a delivery: signed, sent, and judged by the status of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.errors import BlockedAddress, UnknownName
from core.letters import Letter
from core.postmen import Answer
from core.webhook_post import post
from core.webhook_signature import signature

if TYPE_CHECKING:
    from core.clock import Clock

#: Seconds that a receiver has to take a letter.
PATIENCE = 10.0

_GONE = 410  # "Nobody will ever take this": the scheme's way to unsubscribe.


def carrier(
    keys: Callable[[], Sequence[bytes]], clock: Clock, *, private: bool, seconds: float = PATIENCE
) -> Callable[[Letter], Answer]:
    """Return what makes one attempt. `keys` sign; with `private` receivers may be inside the network."""

    def carry(letter: Letter) -> Answer:
        """Deliver a letter once and return what became of it, whatever the receiver does."""
        try:
            status = _sent(letter, keys(), clock, private=private, seconds=seconds)
        except BlockedAddress as refusal:
            return Answer(letter, taken=False, said=refusal.message, final=True)
        except UnknownName as error:
            return Answer(letter, taken=False, said=error.message, unwell=True)
        except TimeoutError:
            return Answer(letter, taken=False, said=f"No answer within {seconds:g} s.", unwell=True)
        except (OSError, ValueError) as error:
            return Answer(letter, taken=False, said=f"No answer: {error}.", unwell=True)
        return _judged(letter, status)

    return carry


def _sent(letter: Letter, keys: Sequence[bytes], clock: Clock, *, private: bool, seconds: float) -> int:
    body, timestamp = letter.body.encode(), int(clock.now())
    headers = {
        "webhook-id": letter.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, message_id=letter.id, timestamp=timestamp, body=body),
    }
    return post(letter.url, body, headers, clock=clock, seconds=seconds, private=private)


def _judged(letter: Letter, status: int) -> Answer:
    taken = 200 <= status < 300
    said = f"Answered {status}" + (", and redirects are not followed." if 300 <= status < 400 else ".")
    return Answer(
        letter, taken=taken, said=said, final=status == _GONE, unwell=status >= 500 or status == 429
    )
