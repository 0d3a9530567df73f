"""A stage whose door asks for tokens, and callers who come with one."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.keyring import Keyring
from core.token_file import change_tokens
from core.tokens import minted
from tests.api.stage import Stage

EVERYTHING = ("submit", "read", "admin")


@dataclass
class Door:
    """A bus with a file of tokens."""

    stage: Stage
    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    #: What the operator was told.
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        change_tokens(self.path, lambda tokens: tokens)
        self.client: FlaskClient = self.opened()

    def opened(self) -> FlaskClient:
        """Return a client of the bus as it is after a start."""
        keyring = Keyring(self.path, self.stage.clock, tell=self.told.append)
        return self.stage.client(keyring=keyring, **self.settings)

    def token(self, **wishes: Any) -> str:
        """Make a token, which is in force, and return its text."""
        known = {"name": "anne", "scopes": EVERYTHING, "now": self.stage.clock.now()}
        made, text = minted(**(known | wishes))
        change_tokens(self.path, lambda tokens: {**tokens, made.id: made})
        self.stage.clock.advance(1)
        return text

    def ask(self, method: str, url: str, token: str = "", **more: Any) -> TestResponse:
        """Send a request with that token."""
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        return self.client.open(url, method=method, headers=headers, **more)

    def submit(self, token: str, **fields: Any) -> TestResponse:
        return self.ask("POST", "/inbound", token, json={"action": "fakejob", **fields})

    def signed(self, token: str, method: str, url: str, body: bytes = b"", **said: Any) -> dict[str, str]:
        """Return the headers of a signed request; `said` are parts that are not as they should be."""
        parts = {
            "key_id": token.split("_")[1],
            "time": str(int(self.stage.clock.now())),
            "nonce": hashlib.sha256(repr((method, url, body, said)).encode()).hexdigest()[:32],
            "key": "",
        } | said
        digest = hashlib.sha256(body).hexdigest()
        lines = ("AAFAI-HMAC-SHA256", method, url, parts["time"], parts["nonce"], parts["key"], digest)
        signature = hmac.new(token.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        credentials = (
            f"key={parts['key_id']}, time={parts['time']}, nonce={parts['nonce']}, signature={signature}"
        )
        return {"Authorization": f"AAFAI-HMAC-SHA256 {credentials}"}


def as_body(document: Any) -> bytes:
    """Return a document as it is sent and signed."""
    return json.dumps(document).encode()
