"""What all pages have in common: how one comes to them, what they load, and the keys."""

import re
import time
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.e2e.local.harness import ADDITION
from tests.page.visits import NOT_LOADED
from tests.page.works import LOOP, RUNNING, ended, single

PLACES = ["overview", "workflows", "jobs", "tasks", "proplets", "events", "new"]
LOADED_MAX = 250_000


def current(page):
    """Find the link to the place that is shown."""
    return page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")


def test_the_address_of_the_manager_leads_to_the_overview(visit, up):
    page = visit(up.url, path="../")
    expect(page).to_have_url(f"{up.url}/ui/overview")
    expect(current(page)).to_have_text("Overview")
    expect(page).to_have_title(re.compile("Propeller"))


@pytest.mark.parametrize("place", PLACES)
def test_each_place_can_be_opened_by_its_address_and_loaded_again(page, place):
    page.goto(place)
    expect(current(page)).to_have_text(place.capitalize())
    page.reload()
    expect(current(page)).to_have_text(place.capitalize())
    expect(page.get_by_role("main")).not_to_be_empty()


def test_an_address_that_is_none_leads_on(page):
    page.goto("workflow/of/nobody")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    page.get_by_role("link", name="Go to the overview").click()
    expect(current(page)).to_have_text("Overview")


def test_back_and_forward_work(page):
    for name in ("Workflows", "Proplets"):
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(current(page)).to_have_text(name)
    page.go_back()
    expect(current(page)).to_have_text("Workflows")
    page.go_forward()
    expect(current(page)).to_have_text("Proplets")


def test_it_works_behind_a_prefix(proxy, visit):
    """A proxy takes the prefix off, and the manager knows nothing of it."""
    page = visit(proxy.url, path="workflows", may_say=NOT_LOADED)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    expect(current(page)).to_have_text("Workflows")
    page.get_by_role("navigation").get_by_role("link", name="Tasks").click()
    expect(page).to_have_url(f"{proxy.url}/ui/tasks")
    page.goto("tasks/some%2Fid")
    expect(current(page)).to_have_text("Tasks")
    page.get_by_role("navigation").get_by_role("link", name="Overview").click()
    expect(page).to_have_url(f"{proxy.url}/ui/overview")
    with page.expect_response(re.compile("/overview$")) as heard:
        page.reload()
    assert heard.value.ok
    assert all(url.startswith(f"{proxy.url}/") for url in asked)


def test_the_first_load_is_small(visit, up):
    page = visit(up.url, path="../ui/nowhere")
    loaded = {}
    page.on("requestfinished", lambda done: loaded.update({done.url: done.sizes()["responseBodySize"]}))
    page.goto("overview")
    expect(current(page)).to_have_text("Overview")
    page.wait_for_load_state("load")
    assert any(url.endswith(".js") for url in loaded)
    of_page = {url: size for url, size in loaded.items() if url.startswith(f"{up.url}/ui/")}
    assert sum(of_page.values()) <= LOADED_MAX, of_page


def test_keys_are_listed_and_lead_everywhere(page):
    expect(current(page)).to_have_text("Overview")
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keys")
    expect(listed).to_contain_text("Go to Workflows")
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    for letter, name in {"w": "Workflows", "p": "Proplets", "o": "Overview", "n": "New"}.items():
        page.keyboard.press("g")
        page.keyboard.press(letter)
        expect(current(page)).to_have_text(name)


def test_tab_leads_through_the_navigation(page):
    expect(current(page)).to_have_text("Overview")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("navigation").get_by_role("link", name="Jobs").focus()
    page.keyboard.press("Enter")
    expect(current(page)).to_have_text("Jobs")


def test_a_phone_has_the_navigation_behind_a_button(visit, up):
    page = visit(up.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    jobs = page.get_by_role("navigation").get_by_role("link", name="Jobs")
    expect(jobs).to_be_hidden()
    page.get_by_role("button", name="Menu").tap()
    jobs.tap()
    expect(page).to_have_url(f"{up.url}/ui/jobs")
    expect(jobs).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


def test_a_tab_is_named_after_what_it_shows(page, up):
    task_id = single(up, start=False, id="named in its tab", file=ADDITION, inputs=[1, 2])
    places = {
        "overview": "Overview",
        "workflows": "Workflows",
        "tasks": "Tasks",
        "proplets": "Proplets",
        "events": "Events",
        "new": "New",
        f"tasks/{quote(task_id)}": task_id,
        "nowhere": "No such page",
    }
    for path, name in places.items():
        page.goto(path)
        expect(page).to_have_title(f"{name} · Propeller")


@pytest.mark.parametrize("task_id", ["%2F", "%252e", "50%", "a?b#c", "a&b=c+d", "with space"])
def test_an_id_in_an_address_is_what_it_is(page, up, task_id):
    """Some signs are decoded twice by routers: `%2F` would be `/`, and another task or none."""
    single(up, start=False, id=task_id, file=ADDITION, inputs=[1, 2])
    page.goto(f"tasks/{quote(task_id, safe='')}")
    panel = page.get_by_role("article", name="Task")
    expect(panel.get_by_text(task_id, exact=True).first).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    page.reload()
    expect(panel.get_by_text(task_id, exact=True).first).to_be_visible()
    page.goto(f"tasks?search={quote(task_id, safe='')}")
    page.get_by_role("link", name=task_id, exact=True).click()
    expect(panel.get_by_text(task_id, exact=True).first).to_be_visible()


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_a_clock_of_the_reader_that_is_wrong_by_an_hour_changes_no_duration(visit, up, off_s):
    task_id = single(up, file=LOOP)
    ended(up, f"/tasks/{task_id}", RUNNING)
    page = visit(up.url)
    page.clock.install(time=time.time() + off_s)
    page.goto(f"tasks/{task_id}")
    expect(page.get_by_text(re.compile(r"for \d+ s"))).to_be_visible()
    page.goto(f"tasks?search={task_id}")
    expect(page.get_by_role("cell", name=re.compile(r"^\d+(\.\d)? s$"))).to_be_visible()
    up.call("DELETE", f"/tasks/{task_id}")


@pytest.mark.parametrize(("flags", "says"), [((), True), (("--no-ui",), False)])
def test_up_says_that_there_is_a_page(own, flags, says):
    own.flags = flags
    own.up()
    assert ("open it in a browser" in own.process.stdout.readline()) == says
