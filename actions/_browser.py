"""A Chromium of its own for one attempt, whose only way out is the checking proxy."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from actions._egress_proxy import Egress, egress_proxy
from core import Fail

if TYPE_CHECKING:
    from selenium.webdriver import Chrome, ChromeOptions

#: What the browser may be called; the first that is there is taken.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--proxy-bypass-list=<-loopback>",
    "--window-size=1280,1024",
)
_PREFERENCES = {
    "download_restrictions": 3,
    "plugins.always_open_pdf_externally": True,
    # Else it begins with a page of the distribution's choice, which calls on a search engine.
    "session.restore_on_startup": 4,
    "session.startup_urls": ["about:blank"],
}
#: Nobody is there to answer a dialog, and a page that opens one is a page nevertheless.
_NO_DIALOGS = "window.alert = window.confirm = window.prompt = () => null;"


@contextmanager
def browser(*, page_timeout: float) -> Iterator[tuple[Chrome, Egress]]:
    """Run a headless Chromium and yield its driver and its proxy; a page gets `page_timeout` seconds."""
    # Selenium is imported when used: it would double the memory of the server, which reads this file, too.
    os.environ.update(SE_OFFLINE="true", SE_AVOID_STATS="true")
    from selenium.webdriver import Chrome, ChromeOptions  # noqa: PLC0415
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    with egress_proxy() as egress:
        driver = Chrome(options=_set_up(ChromeOptions(), egress.port), service=Service(_chromedriver()))
        try:
            driver.set_page_load_timeout(page_timeout)
            driver.set_script_timeout(page_timeout)
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _NO_DIALOGS})
            yield driver, egress
        finally:
            with suppress(Exception):  # It may be dead already; the attempt's end kills whatever is left.
                driver.quit()


def _set_up(options: ChromeOptions, proxy_port: int) -> ChromeOptions:
    options.binary_location = _found(*BROWSERS)
    for switch in _SWITCHES:
        options.add_argument(switch)
    options.add_argument(f"--proxy-server=http://127.0.0.1:{proxy_port}")
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp(prefix='profile-')}")
    if os.geteuid() == 0:
        options.add_argument(
            "--no-sandbox"
        )  # Chromium's sandbox does not work for root; for others it stays.
    options.add_experimental_option("prefs", _PREFERENCES)
    return options


def _chromedriver() -> str:
    return _found(os.environ.get("AAFAI_CHROMEDRIVER") or "chromedriver")


def _found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise Fail(f"{names[0]} is not installed: run tools/system-packages {names[0]}.", code="not_installed")
