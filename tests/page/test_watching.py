"""The overview, the list of all tasks and the events: what they show is so, and leads to what is behind it."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.works import ADDITION, DIVISION, FAILED, LOOP, RUNNING, ended, single


def tile(page, text):
    return page.get_by_role("main").get_by_role("link").filter(has_text=text)


def test_an_empty_system_says_what_to_do(own, visit):
    own.up()
    page = visit(own.url)
    expect(page.get_by_role("heading", name="Nothing has run here yet")).to_be_visible()
    for place in ("workflows", "jobs", "tasks", "events"):
        page.goto(place)
        expect(page.get_by_role("main").get_by_role("heading", level=2)).to_have_text(re.compile("yet$"))
        expect(page.get_by_role("main").locator(".empty").get_by_role("link").first).to_be_visible()
    page.goto("overview")
    single(own, id="first", file=ADDITION, inputs=[1, 2])
    expect(page.get_by_role("region", name="Tasks")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing has run here yet")).to_be_hidden()


def test_numbers_of_the_overview_follow_and_lead_to_their_lists(page, up):
    ended(up, f"/tasks/{single(up, file=ADDITION, inputs=[1, 2])}")
    page.goto("overview")
    tasks = up.call("GET", "/overview")["tasks"]
    expect(tile(page, "running").first).to_contain_text(str(tasks["running"]))
    made = single(up, id="watched-loop", file=LOOP)
    ended(up, f"/tasks/{made}", RUNNING)
    expect(tile(page, "running").first).to_contain_text(str(tasks["running"] + 1))
    tile(page, "running").first.click()
    expect(page).to_have_url(re.compile(r"/ui/tasks\?state=running"))
    expect(page.get_by_role("rowheader").get_by_role("link", name="watched-loop")).to_be_visible()
    up.call("POST", f"/tasks/{made}/stop")
    expect(page.get_by_role("rowheader").get_by_role("link", name="watched-loop")).to_be_hidden()


def test_a_failure_is_read_on_the_overview(page, up):
    made = single(up, id="watched-failure", file=DIVISION, inputs=[1, 0])
    page.goto("overview")
    ended(up, f"/tasks/{made}", FAILED)
    failure = page.get_by_role("listitem").filter(has_text="watched-failure")
    expect(failure).to_contain_text("integer division by zero")
    page.get_by_role("link", name="Failed today", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="watched-failure")).to_contain_text(
        "integer division by zero"
    )
    page.get_by_role("rowheader").get_by_role("link", name="watched-failure").click()
    expect(page).to_have_url(re.compile("/ui/tasks/watched-failure"))


@pytest.mark.parametrize("text", ["needle-in", "needle-in-the-hay"])
def test_a_task_is_found_among_all(page, up, text):
    up.http.post("/tasks", json={"id": "needle-in-the-hay", "name": "main"})
    page.goto("overview")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    page.keyboard.press("/")
    page.keyboard.type(text)
    expect(page.get_by_role("rowheader")).to_have_count(1)
    page.get_by_role("rowheader").get_by_role("link", name="needle-in-the-hay").click()
    expect(page.get_by_role("article", name="Task")).to_contain_text("needle-in-the-hay")


def test_events_come_live_and_are_filtered(page, up):
    page.goto("events?search=heard")
    expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    single(up, id="heard-1", file=ADDITION, inputs=[1, 2])
    single(up, id="other-1", file=ADDITION, inputs=[1, 2])
    heard = page.get_by_role("row").filter(has_text="heard-1")
    expect(heard.filter(has_text="completed")).to_have_count(1)
    expect(heard.filter(has_text="running")).to_have_count(1)
    expect(page.get_by_role("row").filter(has_text="other-1")).to_have_count(0)
    page.get_by_role("navigation", name="State").get_by_role("link", name="completed").click()
    expect(heard).to_have_count(1)
    page.reload()
    expect(heard).to_have_count(1)
