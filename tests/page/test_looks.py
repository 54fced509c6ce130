"""Each page, light, dark and on a phone: for people who see, who don't, and who look at it in the README."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from tests.e2e.local.harness import System
from tests.page import world
from tests.page.visits import Visits

ROOT = Path(__file__).parents[2]
#: Pictures of all pages are written there; `script/screens` makes them for the documentation.
SCREENS = Path(os.environ.get("SCREENS", ROOT / ".screens"))
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
SCREEN = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
#: What differs between light and dark.
COLOURS = ["color-contrast", "link-in-text-block"]
PLACES = (
    *("overview", "workflows", "jobs", "graph", "graph-task", "graph-folded", "timeline", "table", "job"),
    *("tasks", "task", "task-logs", "task-history", "task-module", "fleet", "fleet-table", "proplet"),
    *("events", "new", "new-workflow"),
)


class World(NamedTuple):
    """A system in which much goes on, and the address of each page of it that is worth a look."""

    url: str
    places: dict[str, str]


@pytest.fixture(scope="module")
def lively(tmp_path_factory, browser):
    system = System(tmp_path_factory.mktemp("world") / "data", "--proplets", "4", "--concurrency", "6")
    try:
        places = world.make(system)
        assert set(places) == set(PLACES)
        SCREENS.mkdir(exist_ok=True)
        yield World(system.url, places)
    finally:
        system.clean_up()


def settled(page):
    """Wait until a page shows what it is for, and nothing of it is awaited any more."""
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", level=1).first).to_be_visible()
    if (
        "?kind=workflow" in page.url
        and (example := main.get_by_role("button", name="Take an example")).count()
    ):
        example.filter(visible=True).click()
        expect(main.get_by_role("region", name="Preview").get_by_role("img")).to_be_visible()
    if "part=logs" in page.url:
        expect(main.get_by_text("ended", exact=True)).to_be_visible()
    expect(main.locator(".loading")).to_have_count(0)
    for canvas in main.locator("canvas.graph-canvas").filter(visible=True).all():
        expect(canvas).to_have_attribute("data-first-picture", re.compile(r"\d+"))
    for area in main.locator(".plot-area").all():
        expect(area.locator("canvas")).to_be_visible()
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")


def faults_of(page, *rules):
    """Give what axe finds that keeps people out; of all its rules where none are given."""
    page.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{fault['impact']} {fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"][:5]
    ]


def pictured(page, name):
    settled(page)
    page.screenshot(path=SCREENS / f"{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it sticks out"


@pytest.fixture(scope="module", params=[SCREEN, PHONE], ids=["screen", "phone"])
def looker(request, browser, lively):
    """Give one page for all places, which loads the files of the page once."""
    visits = Visits(browser)
    yield visits.open(lively.url, **request.param)
    visits.close()


@pytest.mark.parametrize("place", PLACES)
def test_a_page_keeps_nobody_out(looker, lively, place):
    is_phone = looker.viewport_size == PHONE["viewport"]
    looker.emulate_media(color_scheme="light")
    looker.goto(lively.places[place])
    pictured(looker, f"{place}-phone" if is_phone else f"{place}-light")
    assert not faults_of(looker)
    if not is_phone:
        looker.emulate_media(color_scheme="dark")
        pictured(looker, f"{place}-dark")
        assert not faults_of(looker, *COLOURS)
