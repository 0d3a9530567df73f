"""Which addresses an action may talk to: public ones on the usual ports, so that no request reaches inside.

A name is resolved once, every address that it has is checked, and the connection goes to a checked address.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from core import Fail, Retry

#: Set to 1 to allow every address and port: for tests, demonstrations and networks that trust each other.
ALLOW_PRIVATE = "AAFAI_ALLOW_PRIVATE_ADDRESSES"

_USUAL_PORTS = {"http": 80, "https": 443}
_ALLOWED_PORTS = frozenset(_USUAL_PORTS.values())
_INSIDE = re.compile(r"(^|\.)(localhost|local|internal|intranet|lan|home\.arpa|in-addr\.arpa|ip6\.arpa)$")
_SUSPICIOUS = re.compile(r"[\x00-\x20\x7f\\]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Public by the tables of Python's versions, and yet inside: metadata services of clouds, links, relays.
_ALSO_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10"),
    )
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection may go."""

    host: str
    port: int
    #: The checked address of the host, to which the connection goes.
    address: str


def private_allowed() -> bool:
    """Return whether the operator allows every address."""
    return os.environ.get(ALLOW_PRIVATE) == "1"


def checked_url(url: str) -> Target:
    """Return where a URL leads. Raises Fail with `blocked_address` when that is forbidden, or Retry."""
    if _SUSPICIOUS.search(url):
        raise _blocked("the URL holds a space, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port or _USUAL_PORTS.get(parts.scheme)
    except ValueError:
        raise _blocked("the URL cannot be read") from None
    if parts.scheme not in _USUAL_PORTS or port is None:
        raise _blocked("only http and https URLs are allowed")
    if parts.username is not None or parts.password is not None:
        raise _blocked("a URL with a user name or a password is not allowed")
    if not parts.hostname:
        raise _blocked("the URL names no host")
    return checked_host(parts.hostname, port)


def checked_host(host: str, port: int) -> Target:
    """Return where a host and port lead; raises as `checked_url`."""
    name = host.rstrip(".").lower()
    if private_allowed():
        return Target(name, port, _resolved(name, port)[0])
    if port not in _ALLOWED_PORTS:
        raise _blocked(f"port {port} is not allowed, only 80 and 443 are")
    if _INSIDE.search(name) or "%" in name:  # A zone such as %eth0 belongs to a link.
        raise _blocked(f"{name} is a name inside a network")
    addresses = _resolved(name, port)
    for address in addresses:
        if not is_public(ipaddress.ip_address(address)):
            raise _blocked(f"{name} leads to {address}, which is not a public address")
    return Target(name, port, addresses[0])


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public Internet, whatever form it is dressed in."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in _ALSO_INSIDE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one carries: mapped, 6to4, Teredo or NAT64."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


def _resolved(name: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Retry(f"The name {name} could not be resolved.") from None
    return [str(entry[4][0]) for entry in found]


def _blocked(why: str) -> Fail:
    return Fail(f"The address is blocked: {why}.", code="blocked_address")
