"""What lies between the script and those whom it asks: names lead to servers, and lines break."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient


class Line(Enum):
    """How a line can fail."""

    #: Nobody listens there.
    REFUSED = "Address unavailable"
    #: Nothing comes back for as long as Google waits.
    SILENT = "Timeout"
    #: What was asked is done, and the answer is lost.
    LOST = "Unexpected error"


@dataclass(frozen=True)
class Asked:
    """A request that the script made."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def target(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


Reply = tuple[int, dict[str, str], bytes]
Server = Callable[[Asked], Reply]


class Internet:
    """Leads requests to the servers of `places`, host and port each; elsewhere nobody listens."""

    def __init__(self) -> None:
        self.places: dict[str, Server] = {}
        #: Every request in order.
        self.asked: list[Asked] = []
        #: Is told the script's time before each request.
        self.on_time: Callable[[float], object] = lambda now: None
        self._faults: list[tuple[str, Line]] = []

    def fail(self, part: str, *faults: Line) -> None:
        """Let the next requests whose URL holds that text fail, one by one in this order."""
        self._faults += [(part, fault) for fault in faults]

    def words(self) -> list[str]:
        """Return what was asked, each as `POST inbound`: the method and the last word of the path."""
        return [f"{one.method} {urlsplit(one.url).path.rpartition('/')[2]}" for one in self.asked]

    def __call__(self, request: dict[str, Any], now: float) -> dict[str, Any]:
        """Answer a request of the script's, which is made at that moment."""
        self.on_time(now)
        body = base64.b64decode(request["base64"])
        asked = Asked(request["method"], request["url"], request["headers"], body)
        self.asked.append(asked)
        fault = self._fault(asked.url)
        server = self.places.get(urlsplit(asked.url).netloc)
        if server is None or fault in (Line.REFUSED, Line.SILENT):
            failure = (fault or Line.REFUSED).value
            return {"failure": failure, "seconds": 60 if fault is Line.SILENT else 1}
        code, headers, content = server(asked)
        if fault is Line.LOST:
            return {"failure": fault.value, "seconds": 5}
        return {
            "code": code,
            "headers": headers,
            "base64": base64.b64encode(content).decode(),
            "seconds": 0.4,
        }

    def _fault(self, url: str) -> Line | None:
        for index, (part, fault) in enumerate(self._faults):
            if part in url:
                del self._faults[index]
                return fault
        return None


def by_flask(client: Callable[[], FlaskClient]) -> Server:
    """Return a server that is an application without a socket."""

    def answered(asked: Asked) -> Reply:
        answer = client().open(asked.target, method=asked.method, headers=asked.headers, data=asked.body)
        return answer.status_code, dict(answer.headers), answer.data

    return answered


def by_port(port: int, prefix: str = "") -> Server:
    """Return a server that listens on a port of this machine."""

    def answered(asked: Asked) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(asked.method, prefix + asked.target, asked.body or None, asked.headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except ConnectionRefusedError:
            return 502, {}, b"refused"
        finally:
            connection.close()

    return answered
