"""What axe-core finds on the pages of the site: contrast, names, roles, order of headings, focus."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.browser import needs_browser, open_page, pages

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytest.importorskip("selenium")
axe = pytest.importorskip("axe_core_python.selenium")
pytestmark = needs_browser
WIDTHS = {"phone": 390, "desk": 1440}


@pytest.fixture
def window(browser: "Chrome", request: pytest.FixtureRequest) -> Iterator["Chrome"]:
    """The browser in one colour scheme and width."""
    scheme, width = request.param
    feature = {"name": "prefers-color-scheme", "value": scheme}
    size = {"width": WIDTHS[width], "height": 900, "deviceScaleFactor": 1, "mobile": width == "phone"}
    browser.set_script_timeout(120)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def some(site: Path) -> list[str]:
    """The pages beside each other, every paper, and each eighth experiment: a page takes half a second."""
    names = sorted(pages(site))
    experiments = [name for name in names if name.startswith("experiment/")]
    return [name for name in names if name not in experiments] + experiments[::8]


@pytest.mark.parametrize("window", [("light", "desk"), ("dark", "phone")], ids=str, indirect=True)
def test_axe_finds_nothing(window: "Chrome", site: Path) -> None:
    found = {}
    for name in some(site):
        open_page(window, site, name)
        violations = axe.Axe().run(window)["violations"]
        found |= {f"{name}: {each['id']}": [node["html"][:200] for node in each["nodes"]] for each in violations}
    assert found == {}


def test_axe_sees_a_fault(browser: "Chrome", tmp_path: Path) -> None:
    page = "<!doctype html><html lang=en><title>x</title><main><h1>x</h1><p style='color:#ccc'>pale</p></main></html>"
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    open_page(browser, tmp_path, "index.html")
    assert [each["id"] for each in axe.Axe().run(browser)["violations"]] == ["color-contrast"]
