"""The visible text of one web page, as a real browser shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from pydantic import Field, HttpUrl

from actions._browser import browser
from actions._content import LARGEST_TEXT, decoded, file_name, is_page, is_text, media_type, truncated
from core import Fail, JobContext, Retry, action

if TYPE_CHECKING:
    import requests
    from selenium.webdriver import Chrome

    from actions._egress_proxy import Egress

_LARGEST_FILE = 104_857_600
_ERROR_PAGE = "it shows an error in place of the page."
# One script, so that protocol, status and text belong to one document even when the page leads elsewhere.
_LOOK = """
const page = performance.getEntriesByType('navigation')[0];
return [location.protocol, page ? page.responseStatus : 0, document.body ? document.body.innerText : ''];
"""


class PageText(TypedDict):
    """What a page says."""

    #: Its visible text, cut to 10,485,760 bytes of UTF-8.
    text: str
    #: Bytes of the whole text in UTF-8.
    size_bytes: int
    #: What the reader should know; None when there is nothing.
    warning: str | None


@action(timeout="5m", max_attempts=2, queue="browser")
def run(
    url: Annotated[HttpUrl, Field(description="An http or https URL of a public address.")],
    page_timeout_seconds: Annotated[int, Field(ge=1, le=240, description="For the page to load.")] = 60,
    *,
    job: JobContext,
) -> PageText:
    """Open one page in Chromium and return its visible text.

    Other text is returned as it is; what is no text is kept as a file of the job, and the warning says so.
    Addresses inside networks are refused, also to redirects and to everything that the page loads.
    """
    from actions._fetch import fetched  # noqa: PLC0415  The server need not load requests.

    job.progress(0.0, "asking what the address holds")
    with fetched(str(url), timeout=page_timeout_seconds) as response:
        if not is_page(response):
            return _without_browser(response, job)
    job.progress(0.2, "starting Chromium")
    return _opened(str(url), page_timeout_seconds, job)


def _without_browser(response: requests.Response, job: JobContext) -> PageText:
    from actions._fetch import read_up_to  # noqa: PLC0415

    if not response.ok:
        raise _refused(response.status_code)
    if is_text(response):
        body, _ = read_up_to(response, _LARGEST_FILE)
        return _page_text(decoded(body, response))
    name = file_name(response.url)
    body, cut = read_up_to(response, _LARGEST_FILE)
    (job.files / name).write_bytes(body)
    part = "the first" if cut else "all"
    said = (
        f"The address holds {media_type(response)}, not a page: {part} {len(body)} bytes were kept as {name}."
    )
    return PageText(text="", size_bytes=0, warning=said)


def _opened(url: str, page_timeout: float, job: JobContext) -> PageText:
    from selenium.common.exceptions import TimeoutException, WebDriverException  # noqa: PLC0415

    refusals: list[str] = []
    try:
        with browser(page_timeout=page_timeout) as (driver, egress):
            refusals = egress.refusals
            job.progress(0.5, "loading the page")
            driver.get(url)
            job.progress(0.9, "reading its text")
            return _read(driver, egress)
    except TimeoutException as error:
        raise Retry(f"The page did not load within {page_timeout:g} seconds.") from error
    except WebDriverException as error:
        raise _failure(str(error.msg), refusals) from error


def _read(driver: Chrome, egress: Egress) -> PageText:
    protocol, status, text = driver.execute_script(_LOOK)
    if protocol not in ("http:", "https:"):
        raise _failure(_ERROR_PAGE, egress.refusals)
    if status >= 400:
        raise _refused(status)
    return _page_text(text)


def _page_text(whole: str) -> PageText:
    text, size, warning = truncated(whole, limit=LARGEST_TEXT)
    return PageText(text=text, size_bytes=size, warning=warning)


def _refused(status: int) -> Fail | Retry:
    said = f"The server answered with status {status}."
    return Retry(said) if status >= 500 or status in (408, 425, 429) else Fail(said, code="http_error")


def _failure(said: str, refusals: list[str]) -> Fail | Retry:
    """Return why there is no page: the proxy's refusal when it made one, else what the browser says."""
    if refusals and ("net::" in said or said == _ERROR_PAGE):
        return Fail(refusals[0], code="blocked_address")
    return Retry(f"Chromium did not show the page: {said.splitlines()[0] if said else 'it ended'}")
