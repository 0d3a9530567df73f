"""One HTTP exchange that cannot be led astray: each hop goes to an address that was checked."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import parse_url

from actions._addresses import checked_url
from core import Fail, Retry

AGENT = "Mozilla/5.0 (X11; Linux x86_64; compatible; aafai-bus)"

_MOST_HOPS = 10
_CHUNK = 65_536
_REASONS = {
    requests.exceptions.SSLError: "the server has no valid certificate for this name",
    requests.Timeout: "the server did not answer in time",
    requests.exceptions.ChunkedEncodingError: "the server's answer broke off",
    requests.ConnectionError: "no connection could be made, or it broke off",
}
_NOWHERE = (requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)


class PinnedAdapter(HTTPAdapter):
    """Connect to the checked address of a URL's host, while TLS and the Host header keep the host's name."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send one hop."""
        # Redirects copy the headers of the hop before, so this one is set anew each time.
        request.headers["Host"] = parse_url(request.url or "").netloc or ""
        return super().send(request, *args, **options)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return a connection to the checked address. Raises Fail when it is blocked."""
        target = checked_url(request.url or "")
        where, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        settings: dict[str, Any] = dict(tls)
        if where["scheme"] == "https":
            settings |= {"server_hostname": target.host, "assert_hostname": target.host}
        pools: PoolManager = self.poolmanager
        return pools.connection_from_host(target.address, target.port, where["scheme"], pool_kwargs=settings)


@contextmanager
def fetched(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    timeout: float = 30.0,
    follow: bool = True,
) -> Iterator[requests.Response]:
    """Send one request and yield its response with the body unread; all of it may take `timeout` seconds.

    Raises Fail when an address is blocked or a URL leads nowhere, and Retry when the exchange does not
    succeed, also while the body is read.
    """
    checked_url(url)
    sent = {"User-Agent": AGENT, **(headers or {})}
    content = None if body is None else body.encode()
    with _within(timeout), _session() as session:
        try:
            with session.request(
                method, url, headers=sent, data=content, timeout=timeout, allow_redirects=follow, stream=True
            ) as response:
                yield response
        except _NOWHERE as error:
            raise Fail(f"The request led nowhere: {error}", code="http_error") from error
        except requests.RequestException as error:
            raise Retry(f"The request failed: {_reason(error)}.") from error


def read_up_to(response: requests.Response, limit: int) -> tuple[bytes, bool]:
    """Return the body, cut after `limit` bytes, and whether it was cut."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = _MOST_HOPS
    session.mount("http://", PinnedAdapter())
    session.mount("https://", PinnedAdapter())
    return session


def _reason(error: requests.RequestException) -> str:
    known = (said for kind, said in _REASONS.items() if isinstance(error, kind))
    return next(known, type(error).__name__)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Limit the whole exchange: a server that drips its answer keeps every single read short.

    Needs the main thread, in which an attempt's action runs.
    """

    def ring(*_: Any) -> NoReturn:
        raise Retry(f"The server took longer than {seconds:g} seconds.")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
