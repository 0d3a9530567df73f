"""The signature of a webhook by the Standard Webhooks scheme, which libraries of it verify. Pure.

https://www.standardwebhooks.com: HMAC-SHA256 over `{id}.{timestamp}.{body}`, in base64, after `v1,`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes of a key, by the scheme


def keys_of(text: str) -> tuple[bytes, ...]:
    """Return the keys that secrets stand for: `whsec_…`, several with a space between while they are changed.

    Raises ValueError with the remedy in its sentence; it repeats no secret.
    """
    return tuple(_key_of(secret) for secret in text.split())


def secret_of(key: bytes) -> str:
    """Return a key as people hand it on."""
    return PREFIX + base64.b64encode(key).decode()


def signature(keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each key."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ValueError(
            f"it must be {PREFIX} and {_LEAST} to {_MOST} bytes in base64: make one with"
            f' `echo "{PREFIX}$(openssl rand -base64 32)"`.'
        )
    return key
