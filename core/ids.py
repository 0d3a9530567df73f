"""Job ids: UUIDv7 (RFC 9562), strictly increasing inside a process even when the wall clock steps back."""

from __future__ import annotations

import re
import secrets
import threading

from core.clock import Clock

#: A job id in its one accepted spelling: a UUIDv7 in lower case with hyphens.
JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_STEP_NS = 250  # 2**-12 ms, the resolution of the sub-millisecond field


class JobIds:
    """Make job ids from a clock: `JobIds(clock)()` is the next one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_ns = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Return a new id, greater than every id returned before."""
        with self._lock:
            ns = max(int(self._clock.now() * 1e9), self._last_ns + _STEP_NS)
            self._last_ns = ns
        return uuid7(ns, secrets.randbits(62))


def uuid7(unix_ns: int, random_bits: int) -> str:
    """Return the UUIDv7 of a time in nanoseconds: 48 bits of milliseconds, 12 of their fraction, 62 random.

    RFC 9562, section 5.7 and method 3 of section 6.2.
    """
    milliseconds, rest_ns = divmod(unix_ns, 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random_bits
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def submitted_ms(job_id: str) -> int:
    """Return the Unix milliseconds that a job id carries."""
    return int(job_id[:8] + job_id[9:13], 16)
