"""Which addresses the bus and its actions may talk to: public ones on the usual ports, none inside.

A name is resolved once, every address that it has is checked, and the connection goes to a checked address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from core.errors import BlockedAddress, UnknownName

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


def checked_url(url: str, *, private: bool = False) -> Target:
    """Return where a URL leads; with `private` any address and port will do.

    Raises BlockedAddress when it must not be followed, UnknownName when its name cannot be resolved now.
    """
    host, port = _host_and_port(url)
    return checked_host(host, port, private=private)


def checked_spelling(url: str, *, private: bool = False) -> None:
    """Raise BlockedAddress for a URL that must not be followed whatever its name resolves to; asks nobody."""
    host, port = _host_and_port(url)
    name = _checked_name(host, port, private=private)
    if not private and (address := _as_address(name)) is not None:
        _check_address(name, address)


def checked_host(host: str, port: int, *, private: bool = False) -> Target:
    """Return where a host and port lead; raises as `checked_url`."""
    name = _checked_name(host, port, private=private)
    addresses = _resolved(name, port)
    if not private:
        for address in addresses:
            _check_address(name, ipaddress.ip_address(address))
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


def _host_and_port(url: str) -> tuple[str, int]:
    if _SUSPICIOUS.search(url):
        raise BlockedAddress("the URL holds a space, a control character or a backslash")
    parts, port = _parts(url)
    if parts.scheme not in _USUAL_PORTS or port is None:
        raise BlockedAddress("only http and https URLs are allowed")
    if parts.username is not None or parts.password is not None:
        raise BlockedAddress("a URL with a user name or a password is not allowed")
    if not parts.hostname:
        raise BlockedAddress("the URL names no host")
    return parts.hostname, port


def _parts(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port or _USUAL_PORTS.get(parts.scheme)
    except ValueError:
        raise BlockedAddress("the URL cannot be read") from None


def _checked_name(host: str, port: int, *, private: bool) -> str:
    name = host.rstrip(".").lower()
    if private:
        return name
    if port not in _ALLOWED_PORTS:
        raise BlockedAddress(f"port {port} is not allowed, only 80 and 443 are")
    if _INSIDE.search(name) or "%" in name:  # A zone such as %eth0 belongs to a link.
        raise BlockedAddress(f"{name} is a name inside a network")
    return name


def _as_address(name: str) -> Address | None:
    """Return the address that a name is, in a shorthand that resolvers understand too; else None."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeError):
        return None


def _check_address(name: str, address: Address) -> None:
    if not is_public(address):
        raise BlockedAddress(f"{name} leads to {address}, which is not a public address")


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
        raise UnknownName(name) from None
    return [str(entry[4][0]) for entry in found]
