"""Which addresses an action may talk to: those that core.addresses allows, told in an action's own words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from core import Fail, Retry, addresses
from core.addresses import Target
from core.errors import BlockedAddress, UnknownName

#: Set to 1 to allow every address and port: for tests, demonstrations and networks that trust each other.
ALLOW_PRIVATE = "AAFAI_ALLOW_PRIVATE_ADDRESSES"


def private_allowed() -> bool:
    """Return whether the operator allows every address."""
    return os.environ.get(ALLOW_PRIVATE) == "1"


def checked_url(url: str) -> Target:
    """Return where a URL leads. Raises Fail with `blocked_address` when that is forbidden, or Retry."""
    with _steering():
        return addresses.checked_url(url, private=private_allowed())


def checked_host(host: str, port: int) -> Target:
    """Return where a host and port lead; raises as `checked_url`."""
    with _steering():
        return addresses.checked_host(host, port, private=private_allowed())


@contextmanager
def _steering() -> Iterator[None]:
    try:
        yield
    except BlockedAddress as refusal:
        raise Fail(refusal.message, code=refusal.code) from None
    except UnknownName as error:
        raise Retry(error.message) from None
