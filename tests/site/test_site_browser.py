"""The static site in headless Chromium, opened from files: no error, no outside request, and everything that moves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from replicate.papers import load_paper

pytest.importorskip("selenium")
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.helpers.browser import needs_browser, open_page, pages, requests

pytestmark = needs_browser
PHONE = 390


def log(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    return browser.get_log(kind)  # type: ignore[no-untyped-call]


def shown(browser: Chrome, table: str) -> list[list[str]]:
    """The cells of the visible rows."""
    rows = "[...arguments[0].tBodies[0].rows].filter(row => !row.hidden)"
    script = f"return {rows}.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    return browser.execute_script(script, browser.find_element(By.ID, table))


def colour(browser: Chrome) -> str:
    return browser.execute_script("return getComputedStyle(document.body).backgroundColor")


@dataclass(frozen=True)
class Visit:
    """What came of opening one page on a phone: console messages, requests to others, width of the content."""

    messages: list[dict[str, Any]]
    outside: list[str]
    width: int


@pytest.fixture(scope="module")
def visits(browser: Chrome, site: Path) -> dict[str, Visit]:
    size = {"width": PHONE, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    found = {name: visit(browser, site, name) for name in sorted(pages(site))}
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    return found


def visit(browser: Chrome, site: Path, name: str) -> Visit:
    open_page(browser, site, name)
    outside = [url for url in requests(browser) if not url.startswith(("file:", "data:"))]
    width = browser.execute_script("return document.documentElement.scrollWidth")
    return Visit(log(browser, "browser"), outside, width)


def test_pages_load_without_errors_and_ask_nobody(visits: dict[str, Visit]) -> None:
    assert {name: visit.messages for name, visit in visits.items() if visit.messages} == {}
    assert {name: visit.outside for name, visit in visits.items() if visit.outside} == {}


def test_phones_need_no_sideways_scrolling(visits: dict[str, Visit]) -> None:
    assert {name: visit.width for name, visit in visits.items() if visit.width > PHONE} == {}


def test_what_was_measured_is_seen_on_a_phone(browser: Chrome, site: Path) -> None:
    size = {"width": PHONE, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(browser, site, "experiment/resnext_cardinality.html")
    script = "return [...document.querySelectorAll('#table-laptop td')].map(cell => cell.getBoundingClientRect().right)"
    rights = browser.execute_script(script)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert 0 < max(rights) <= PHONE


def test_tables_sort_both_ways_numbers_as_numbers(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "experiment/resnext_cardinality.html")
    head = browser.find_element(By.CSS_SELECTOR, "#table-laptop thead th:nth-child(3)")
    published = {row[2] for row in shown(browser, "table-laptop")}
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [row[2] for row in shown(browser, "table-laptop")] == sorted(published, key=float)
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [row[2] for row in shown(browser, "table-laptop")] == sorted(published, key=float, reverse=True)


def test_counts_sort_by_value_and_what_is_missing_stays_last(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "experiment/alexnet_parameters.html")
    head = browser.find_element(
        By.XPATH, "//table[@id='table-exact']//th[starts-with(., 'published') and not(contains(., 'row'))]"
    )
    column = browser.execute_script("return arguments[0].cellIndex", head)
    for falling in (False, True):
        head.find_element(By.TAG_NAME, "button").click()
        cells = [row[column] for row in shown(browser, "table-exact")]
        numbers = [int(cell.replace(",", "")) for cell in cells if cell != "–"]
        assert numbers == sorted(numbers, reverse=falling)
        assert all(cell == "–" for cell in cells[len(numbers) :])


def test_claims_are_filtered_by_words_paper_verdict_and_scale(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "index.html")
    everything = len(shown(browser, "matrix"))
    form = browser.find_element(By.CSS_SELECTOR, "form.filters")

    def choose(**values: str) -> list[list[str]]:
        for name, value in values.items():
            browser.execute_script("arguments[0].elements[arguments[1]].value = arguments[2]", form, name, value)
        browser.execute_script("arguments[0].dispatchEvent(new Event('input'))", form)
        return shown(browser, "matrix")

    head = [cell.text.split("\xa0")[0] for cell in browser.find_elements(By.CSS_SELECTOR, "#matrix thead th")]
    assert {row[0] for row in choose(paper="resnext")} == {"resnext"}
    tested = choose(scale="laptop")
    assert 0 < len(tested) < everything
    assert all(row[head.index("laptop")] != "–" for row in tested)
    found = choose(outcome="holds")
    assert [row[head.index("laptop")] for row in found] == ["holds"] * len(found) != []
    assert choose(text="no such words") == []
    assert form.find_element(By.TAG_NAME, "output").text == f"0 of {everything} claims"
    form.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    WebDriverWait(browser, 10).until(lambda _: len(shown(browser, "matrix")) == everything)


def test_a_tile_shows_the_claims_that_it_counts(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "index.html")
    tile = browser.find_element(By.CSS_SELECTOR, ".tile.holds")
    count = int(tile.find_element(By.TAG_NAME, "b").text)
    tile.click()
    assert sum(cell == "holds" for row in shown(browser, "matrix") for cell in row) == count > 0


def test_what_is_chosen_stands_in_the_address_and_the_back_button_works(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "index.html")
    everything = len(shown(browser, "matrix"))
    browser.find_element(By.CSS_SELECTOR, ".tile.holds").click()
    chosen = shown(browser, "matrix")
    assert browser.current_url.endswith("#matrix?outcome=holds")
    browser.back()
    WebDriverWait(browser, 10).until(lambda _: len(shown(browser, "matrix")) == everything)
    browser.forward()
    WebDriverWait(browser, 10).until(lambda _: shown(browser, "matrix") == chosen)
    browser.get("about:blank")
    browser.get(f"{(site / 'index.html').as_uri()}#matrix?outcome=holds")
    assert shown(browser, "matrix") == chosen


def test_a_link_to_a_claim_shows_it_below_both_heads_and_no_button_holds_a_link(browser: Chrome, site: Path) -> None:
    claim = load_paper("resnext").claims[3].id
    browser.get(f"{(site / 'paper/resnext.html').as_uri()}#{claim}")
    script = "const at = (part) => document.querySelector(part).getBoundingClientRect();"
    places = browser.execute_script(f"{script} return [at('#claims thead th').bottom, at('#{claim}').top]")
    assert places[0] <= places[1] + 1
    assert browser.execute_script("return document.querySelectorAll('button a, a button').length") == 0


def test_search_finds_claims_papers_and_experiments(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "paper/lenet.html")
    box = browser.find_element(By.ID, "search")
    box.send_keys("cardinality rises")
    options = browser.find_elements(By.CSS_SELECTOR, "#found [data-page]")
    assert [option.get_attribute("data-page") for option in options] == [
        "experiment/resnext_cardinality.html",
        "paper/resnext.html#cardinality_beats_width",
    ]
    box.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    assert browser.current_url.endswith("paper/resnext.html#cardinality_beats_width")


def test_dark_mode_follows_the_system_until_it_is_chosen(browser: Chrome, site: Path) -> None:
    def system(value: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": value}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    open_page(browser, site, "index.html")
    system("light")
    light = colour(browser)
    system("dark")
    dark = colour(browser)
    assert dark != light
    button = browser.find_element(By.ID, "theme")
    # The browser tells the page about a change of the system's theme at its next frame, some time after the colour.
    WebDriverWait(browser, 10).until(lambda _: button.get_attribute("aria-pressed") == "true")
    button.click()
    assert (colour(browser), button.get_attribute("aria-pressed")) == (light, "false")
    system("light")
    button.click()
    assert (colour(browser), button.get_attribute("aria-pressed")) == (dark, "true")


def test_charts_tell_their_values_to_mouse_and_keyboard(browser: Chrome, site: Path) -> None:
    open_page(browser, site, "experiment/resnext_cardinality.html")
    tip = browser.find_element(By.ID, "tip")
    row = browser.find_element(By.CSS_SELECTOR, "#laptop .dotrow[data-tip]")
    browser.execute_script("arguments[0].focus()", row)
    assert tip.text == row.get_attribute("aria-label")
    plot = browser.find_element(By.CSS_SELECTOR, "#laptop figure.curves .plot")
    plot.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    lines = tip.text.splitlines()
    assert lines[0] == "epoch 2"
    assert len(lines) == 6
    browser.find_element(By.CSS_SELECTOR, "#laptop figure.curves .keys button").click()
    plot.send_keys(Keys.ARROW_RIGHT)
    assert tip.text.splitlines()[0] == "epoch 3"
    assert len(tip.text.splitlines()) == 5
