"""A site of made-up results and a browser, once for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from replicate.site import build_site
from tests.helpers.browser import started
from tests.helpers.site_results import write_made_up_results

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "site"
    build_site(write_made_up_results(tmp_path_factory.mktemp("results")), out)
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    with started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
