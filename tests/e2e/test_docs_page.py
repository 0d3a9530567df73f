"""The page of the documentation in a real browser: it loads, breaks no policy, and fits every screen."""

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from examples.running import a_bus

pytestmark = pytest.mark.alone

#: What lies beyond the right edge of an open operation, but for code, which scrolls within its box.
BEYOND_THE_EDGE = """
return [...document.querySelectorAll(".opblock.is-open *:not(pre *)")]
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => `${one.tagName}.${one.className}`)
"""


@pytest.fixture
def chrome(browser):
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless", "--disable-background-networking", "--window-size=1280,1600"):
        options.add_argument(argument)
    if os.geteuid() == 0:  # Chromium's own sandbox does not start for root.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


@pytest.mark.parametrize("width", [1280, 420])
def test_an_operation_fits_the_screen(tmp_path, chrome, width):
    screen = {"width": width, "height": 1600, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    with a_bus(tmp_path) as bus:
        chrome.get(f"{bus.url}/docs")
        path = appeared(chrome, '.opblock-get [data-path="/outbound"]')
        path.click()
        appeared(chrome, ".responses-table .response")

        assert chrome.execute_script(BEYOND_THE_EDGE) == []
        assert chrome.get_log("browser") == []


def appeared(chrome, selector):
    """Return the first element that fits, once there is one."""
    return WebDriverWait(chrome, 60).until(lambda page: page.find_elements("css selector", selector))[0]
