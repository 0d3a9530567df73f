"""Tokens: who may do what over HTTP, and how a token's text is made and known again."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from core.registry import ACTION_NAME

#: What a token may allow: submit and steer jobs, look at them, and what concerns everybody's jobs or the bus.
SCOPES = ("submit", "read", "admin")

_TEXT = re.compile(r"aafai_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[0-9a-f]{8}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_A_MINUTE = 10**6


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What the bus knows of a token: not its text, unless requests are signed with that.

    A text holds 256 random bits, so no list of likely ones can be tried against its SHA-256: the slow hashes
    that passwords need would only make every request slow.
    """

    #: Eight hex digits of its text, by which people and requests name it.
    id: str
    #: Whose it is. The jobs that it submits bear the name; tokens of one name are one client's.
    name: str
    #: Some of SCOPES.
    scopes: frozenset[str]
    #: The actions that it may submit jobs for; None for every one.
    actions: frozenset[str] | None = None
    #: Whether it shows the jobs of its name only.
    own_jobs_only: bool = False
    #: How many requests it may make in a minute; None for what the settings say.
    rate_limit: int | None = None
    #: In Unix seconds.
    created_at: float = 0.0
    #: When it ceases to be worth anything, in Unix seconds; None for never.
    expires_at: float | None = None
    #: SHA-256 (hex) of its text; empty for one that signs.
    digest: str = ""
    #: Its text, for one that signs: from a hash no signature can be computed. Empty for all others.
    signing_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError, with a sentence that names the field, for what cannot be."""
        for name, wrong in _faults(self).items():
            if wrong:
                raise ValueError(f"{name}: {wrong}")

    def is_text(self, text: str) -> bool:
        """Return whether this is the token's text, in a time that tells nothing about it."""
        return bool(self.digest) and hmac.compare_digest(digest_of(text), self.digest)

    def has_expired(self, now: float) -> bool:
        """Return whether it is worth nothing any more."""
        return self.expires_at is not None and now >= self.expires_at


def minted(
    *,
    scopes: Collection[str],
    now: float,
    actions: Collection[str] = (),
    signing: bool = False,
    taken: Collection[str] = (),
    **fields: Any,
) -> tuple[Token, str]:
    """Return a new token, whose id is none of the `taken` ones, and its text, which is kept nowhere else.

    `fields` are further ones of Token. Raises ValueError, with a sentence that names the field that is wrong.
    """
    key_id = secrets.token_hex(4)
    while key_id in taken:
        key_id = secrets.token_hex(4)
    text = f"aafai_{key_id}_{secrets.token_urlsafe(32)}"
    proof: dict[str, Any] = {"signing_key": text} if signing else {"digest": digest_of(text)}
    token = Token(
        id=key_id,
        scopes=frozenset(scopes),
        actions=frozenset(actions) or None,
        created_at=now,
        **proof,
        **fields,
    )
    return token, text


def key_id_of(text: str) -> str:
    """Return the id that a token's text bears; empty when it is no token's text."""
    found = _TEXT.fullmatch(text)
    return found[1] if found else ""


def digest_of(text: str) -> str:
    """Return the SHA-256 (hex) of a token's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _faults(token: Token) -> dict[str, str]:
    """Return by field what is wrong with a token; empty where nothing is."""
    rate, actions = token.rate_limit, token.actions
    known = bool(token.scopes) and token.scopes <= set(SCOPES)
    named = actions is None or (bool(actions) and all(map(ACTION_NAME.fullmatch, actions)))
    everybodys = token.own_jobs_only and "admin" in token.scopes
    hashed = bool(_DIGEST.fullmatch(token.digest)) and not token.signing_key
    signing = key_id_of(token.signing_key) == token.id and not token.digest
    return {
        "id": "" if _ID.fullmatch(token.id) else "must be eight hex digits.",
        "name": "" if _NAME.fullmatch(token.name) else "must be 1 to 64 letters, digits or ._@- .",
        "scopes": "" if known else f"must be some of {', '.join(SCOPES)}.",
        "actions": "" if named else "must be names of actions.",
        "own_jobs_only": "an admin's token concerns the jobs of others too." if everybodys else "",
        "rate_limit": "" if rate is None or 0 < rate <= _MOST_A_MINUTE else "must be 1 to 1,000,000.",
        "sha256": "" if hashed or signing else "either this or signing_key must be that of the token.",
    }
