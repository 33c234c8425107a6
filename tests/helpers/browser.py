"""Chromium without a window, and the pages of a site that it opens from files."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs Chromium and chromedriver")
FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "window-size=1280,900"),
)


@contextmanager
def started(profile: Path) -> Iterator["Chrome"]:
    """A browser of its own, whose messages and requests can be read."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    driver.get("about:blank")
    requests(driver)  # the browser's own first page
    try:
        yield driver
    finally:
        driver.quit()


def requests(browser: "Chrome") -> list[str]:
    """The addresses that were asked for since the last call."""
    logged = browser.get_log("performance")  # type: ignore[no-untyped-call]
    events = [json.loads(entry["message"])["message"] for entry in logged]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def open_page(browser: "Chrome", site: Path, name: str) -> None:
    browser.get((site / name).as_uri())


def pages(site: Path) -> list[str]:
    return [path.relative_to(site).as_posix() for path in site.rglob("*.html")]
