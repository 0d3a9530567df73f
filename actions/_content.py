"""What a response holds: text to return, or bytes to keep as a file of the job."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import requests

#: Bytes of text that a result holds at most.
LARGEST_TEXT = 10_485_760

_TEXTUAL = re.compile(r"text/.*|application/(json|xml|javascript|x-ndjson|yaml|.*\+json|.*\+xml)")
_PAGES = {"text/html", "application/xhtml+xml", ""}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def media_type(response: requests.Response) -> str:
    """Return the media type in lower case without parameters; empty when the server does not say."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def is_page(response: requests.Response) -> bool:
    """Return whether a browser would show it as a page."""
    return media_type(response) in _PAGES


def is_text(response: requests.Response) -> bool:
    """Return whether its body is text."""
    return _TEXTUAL.fullmatch(media_type(response)) is not None


def decoded(body: bytes, response: requests.Response) -> str:
    """Return the body as text, by the charset that the server names, else UTF-8."""
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    try:
        return body.decode(str(header.get_param("charset") or "utf-8"), errors="replace")
    except LookupError:
        return body.decode(errors="replace")


def file_name(url: str) -> str:
    """Return a safe file name for what a URL holds."""
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    return _UNSAFE.sub("_", last).strip("._")[:100] or "download"


def truncated(text: str, *, limit: int = LARGEST_TEXT) -> tuple[str, int, str | None]:
    """Return a text cut to `limit` bytes of UTF-8 between characters, its whole size, and a warning."""
    whole = text.encode(errors="replace")
    if len(whole) <= limit:
        return whole.decode(), len(whole), None
    warning = f"Text content exceeded {limit} bytes and was truncated."
    return whole[:limit].decode(errors="ignore"), len(whole), warning
