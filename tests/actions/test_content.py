from __future__ import annotations

import pytest
import requests

from actions._content import decoded, file_name, is_page, is_text, truncated


def a_response(content_type: str | None) -> requests.Response:
    response = requests.Response()
    if content_type is not None:
        response.headers["Content-Type"] = content_type
    return response


@pytest.mark.parametrize(
    ("content_type", "page", "text"),
    [
        ("text/html; charset=utf-8", True, True),
        ("TEXT/HTML", True, True),
        ("application/xhtml+xml", True, True),
        (None, True, False),
        ("text/plain", False, True),
        ("application/json", False, True),
        ("application/ld+json", False, True),
        ("application/pdf", False, False),
        ("image/png", False, False),
    ],
)
def test_a_media_type_tells_pages_text_and_the_rest_apart(
    content_type: str | None, page: bool, text: bool
) -> None:
    assert (is_page(a_response(content_type)), is_text(a_response(content_type))) == (page, text)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("grün".encode("latin-1"), "text/plain; charset=latin-1", "grün"),
        ("grün".encode(), "text/plain", "grün"),
        ("grün".encode(), "text/plain; charset=no-such-thing", "grün"),
        (b"\xff", "text/plain; charset=utf-8", "\ufffd"),
    ],
)
def test_text_is_read_by_the_charset_that_the_server_names(
    body: bytes, content_type: str, expected: str
) -> None:
    assert decoded(body, a_response(content_type)) == expected


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a/b/report.pdf?x=1", "report.pdf"),
        ("http://a/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("http://a/..", "download"),
        ("http://a/.bashrc", "bashrc"),
        ("http://a/", "download"),
        ("http://a/a%00b%0a.bin", "a_b_.bin"),
        ("http://a/" + "x" * 500, "x" * 100),
    ],
)
def test_a_file_gets_a_name_that_is_safe_everywhere(url: str, name: str) -> None:
    assert file_name(url) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("äää", ("äää", 6, None)),
        ("äääx", ("äää", 7, "Text content exceeded 6 bytes and was truncated.")),
        ("aääää", ("aää", 9, "Text content exceeded 6 bytes and was truncated.")),
        ("𝄞𝄞", ("𝄞", 8, "Text content exceeded 6 bytes and was truncated.")),
        ("\ud800", ("?", 1, None)),
    ],
)
def test_text_is_truncated_between_characters(text: str, expected: tuple[str, int, str | None]) -> None:
    assert truncated(text, limit=6) == expected


def test_the_limit_is_that_of_the_seed() -> None:
    text, size, warning = truncated("x" * 10_485_761)

    assert (len(text), size) == (10_485_760, 10_485_761)
    assert warning == "Text content exceeded 10485760 bytes and was truncated."
