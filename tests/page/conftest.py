"""A real browser, a real system that it looks at, and pages that must not complain."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.local.harness import System
from tests.page.visits import Visits
from tests.parts.machine import BROWSER_FLAGS, need_browser
from tests.parts.programs import path_of
from tests.parts.reverse_proxy import ReverseProxy

#: The machine may be busy with the other half of the tests.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def browser():
    """Start Chromium; its loop runs in this thread, so it ends before tests of other folders begin."""
    need_browser()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path_of("chromium"), args=[*BROWSER_FLAGS])
        yield started
        started.close()


@pytest.fixture(scope="package")
def up(tmp_path_factory, browser):
    """Give a system that all tests share; who kills one makes one."""
    system = System(tmp_path_factory.mktemp("page") / "data", "--concurrency", "4")
    system.up(env={**os.environ, "PROPLET_METRICS_INTERVAL": "1"})
    yield system
    system.clean_up()


@pytest.fixture
def proxy(up):
    """Give a proxy before the system; ask for it before `visit`, so that it outlives the pages."""
    with ReverseProxy(up.url, "/team/propeller") as made:
        yield made


@pytest.fixture
def visit(browser):
    """Give the function that opens a page: ``visit(url, may_say=..., color_scheme="dark")``."""
    visits = Visits(browser)
    yield visits.open
    visits.close()


@pytest.fixture
def page(visit, up):
    return visit(up.url)


@pytest.fixture
def own(tmp_path):
    """Give a system that is the test's own, at an address that it keeps when it is started again."""
    made = System(tmp_path / "data")
    yield made
    made.clean_up()
