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


def some(site: Path, each_paper: int) -> list[str]:
    """Every page of its own kind, each so-many-th paper, and each eighth experiment: a page takes half a second."""
    names = sorted(pages(site))
    papers, experiments = ([name for name in names if name.startswith(f"{kind}/")] for kind in ("paper", "experiment"))
    return [name for name in names if "/" not in name] + papers[::each_paper] + experiments[::8]


@pytest.mark.parametrize(
    ("window", "each_paper"), [(("light", "desk"), 1), (("dark", "phone"), 4)], ids=str, indirect=["window"]
)
def test_axe_finds_nothing(window: "Chrome", each_paper: int, site: Path) -> None:
    found = {}
    for name in some(site, each_paper):
        open_page(window, site, name)
        violations = axe.Axe().run(window)["violations"]
        found |= {f"{name}: {each['id']}": [node["html"][:200] for node in each["nodes"]] for each in violations}
    assert found == {}


def test_axe_sees_a_fault(browser: "Chrome", tmp_path: Path) -> None:
    page = "<!doctype html><html lang=en><title>x</title><main><h1>x</h1><p style='color:#ccc'>pale</p></main></html>"
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    open_page(browser, tmp_path, "index.html")
    assert [each["id"] for each in axe.Axe().run(browser)["violations"]] == ["color-contrast"]
