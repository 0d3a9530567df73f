"""Signs requests with a token that is never sent: for a bus on plain HTTP. Pure."""

from __future__ import annotations

import hashlib
import hmac

SCHEME = "AAFAI-HMAC-SHA256"


def signed(
    token: str, method: str, target: str, body: bytes = b"", *, key: str = "", now: float, nonce: str
) -> str:
    """Return the header Authorization of a request, as docs/http.md has it.

    `target` is path and query as they are sent, `key` the Idempotency-Key, `now` in Unix seconds; `nonce`
    must be another one each time. The token is one that `bus token make --signing` made.
    """
    stamp = str(int(now))
    digest = hashlib.sha256(body).hexdigest()
    text = f"{SCHEME}\n{method}\n{target}\n{stamp}\n{nonce}\n{key}\n{digest}".encode()
    signature = hmac.new(token.encode(), text, hashlib.sha256).hexdigest()
    return f"{SCHEME} key={key_id_in(token)}, time={stamp}, nonce={nonce}, signature={signature}"


def key_id_in(token: str) -> str:
    """Return the id that a token's text holds; the empty text when it holds none."""
    parts = token.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "aafai" else ""
