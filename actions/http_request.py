"""One HTTP request to a public address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, HttpUrl

from actions._content import decoded, file_name, is_text
from core import JobContext, action

if TYPE_CHECKING:
    import requests

_CUT = "The body was cut after {} bytes."


@action(timeout="10m", max_attempts=1)
def run(
    url: Annotated[HttpUrl, Field(description="An http or https URL of a public address.")],
    *,
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET",
    headers: Annotated[dict[str, str], Field(description="Request headers by name.")] = {},  # noqa: B006
    body: Annotated[str | None, Field(description="Request body; sent as UTF-8.")] = None,
    follow_redirects: bool = True,
    timeout_seconds: Annotated[int, Field(ge=1, le=300, description="For the whole exchange.")] = 30,
    max_bytes: Annotated[
        int, Field(ge=0, le=10_485_760, description="Bytes of the body to keep.")
    ] = 1_048_576,
    job: JobContext,
) -> dict[str, object]:
    """Send one HTTP request and return status, headers and body; any status counts as a success.

    Addresses inside networks are refused, redirects to them too. It is sent once: a failed attempt is not
    repeated unless the job asks for more attempts.
    """
    from actions._fetch import fetched, read_up_to  # noqa: PLC0415  The server need not load requests.

    with fetched(
        str(url), method=method, headers=headers, body=body, timeout=timeout_seconds, follow=follow_redirects
    ) as response:
        content, cut = read_up_to(response, max_bytes)
    job.info(f"{method} {response.url} answered {response.status_code}")
    warning = _CUT.format(max_bytes) if cut else None
    return {**_answer(response, content, job), "size_bytes": len(content), "warning": warning}


def _answer(response: requests.Response, content: bytes, job: JobContext) -> dict[str, object]:
    return {
        "status": response.status_code,
        "reason": response.reason,
        "url": response.url,
        "headers": dict(response.headers),
        **_body(content, response, job.files if content and not is_text(response) else None),
    }


def _body(content: bytes, response: requests.Response, folder: Path | None) -> dict[str, object]:
    if folder is None:
        return {"text": decoded(content, response), "file": None}
    name = file_name(response.url)
    (folder / name).write_bytes(content)
    return {"text": None, "file": name}
