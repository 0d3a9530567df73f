"""One HTTP request to a cloud's service: limited in time and size, through no proxy, to no other address.

It takes the standard library alone: the server asks a cloud a few times a day, and what it imports it keeps.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_LONGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. Its headers may hold a token, so they are never shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status; it may hold a token as well."""

    status: int
    #: By their names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def ask(request: Request, *, seconds: float) -> Answer:
    """Send a request and return its answer, a redirect too. Raises OSError, such as TimeoutError.

    All of it takes no longer than `seconds`, the look-up of the name included, which knows no limit itself. A
    request that could not be sent by then never will be.
    """
    given_up = threading.Event()
    outcomes: queue.SimpleQueue[Answer | OSError] = queue.SimpleQueue()
    _in_thread(lambda: outcomes.put(_outcome(request, seconds, given_up)))
    try:
        outcome = outcomes.get(timeout=seconds)
    except queue.Empty:
        given_up.set()
        outcome = TimeoutError()
    if isinstance(outcome, TimeoutError):
        raise TimeoutError(f"it did not answer within {seconds:g} s")
    if isinstance(outcome, OSError):
        raise outcome
    return outcome


def _in_thread(work: Callable[[], None]) -> None:
    try:
        threading.Thread(target=work, name="cloud request", daemon=True).start()
    except RuntimeError as error:
        raise OSError(f"no thread could be started ({error})") from error


def _outcome(request: Request, seconds: float, given_up: threading.Event) -> Answer | OSError:
    try:
        return _answer(request, seconds, given_up)
    except OSError as error:
        return error
    except HTTPException as error:
        return ConnectionError(f"it does not answer in HTTP ({type(error).__name__})")
    except (ValueError, OverflowError):  # Whose words may be those of a header, which holds a token.
        return ConnectionError("its address, or a header for it, holds what cannot be sent")


def _answer(request: Request, seconds: float, given_up: threading.Event) -> Answer:
    parts = urlsplit(request.url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=seconds)) as connection:
        connection.connect()
        if given_up.is_set():
            raise TimeoutError
        return _exchanged(connection, request, f"{parts.path or '/'}?{parts.query}".removesuffix("?"))


def _exchanged(connection: HTTPConnection, request: Request, target: str) -> Answer:
    connection.request(request.method, target, request.body, dict(request.headers))
    with connection.getresponse() as response:
        body = response.read(_LONGEST_BODY + 1)
        if len(body) > _LONGEST_BODY:
            raise ConnectionError("its answer is longer than any should be")
        if response.length:
            raise ConnectionError("it hung up in the middle of its answer")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body)
