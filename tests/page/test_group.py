"""One workflow or job: its graph and table show the same, live, and what is done to it is done."""

import re

from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED
from tests.page.works import COMPLETED, DIVISION, FAILED, LOOP, NAP, ended, job, task, workflow


def graph(page):
    return page.get_by_role("application", name=re.compile("^Graph of"))


def view(page, name):
    page.get_by_role("navigation", name="View").get_by_role("link", name=name).click()


def table_row(page, task_id):
    return (
        page.get_by_role("main")
        .get_by_role("row")
        .filter(has=page.get_by_role("button", name=task_id, exact=True))
    )


def confirm(page, button):
    """Ask for something in the head, and say yes to what the page says of it; gives what that was."""
    page.get_by_role("toolbar", name=re.compile("What to do with the")).get_by_role(
        "button", name=button
    ).click()
    asked = page.get_by_role("alertdialog")
    words = asked.inner_text()
    asked.get_by_role("button", name=button).click()
    expect(asked).to_be_hidden()
    return words


def test_a_failing_workflow_is_found_read_and_rerun_from_the_task_that_failed(page, up):
    made = workflow(
        up,
        "to-be-mended",
        task("m-first", 12, 4),
        task("m-bad", 12, 0, file=DIVISION, after=["m-first"]),
        task("m-after", 1, 1, after=["m-bad"]),
    )
    ended(up, f"/workflows/{made}", FAILED)
    page.goto("overview")
    failures = page.get_by_role("region").or_(page.locator("section")).filter(has_text="Newest failures")
    failure = failures.get_by_role("listitem").filter(has_text="m-bad")
    expect(failure).to_contain_text("integer division by zero")
    failure.get_by_role("link", name=made).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("to-be-mended")
    view(page, "Table")
    expect(table_row(page, "m-after")).to_contain_text("skipped")
    table_row(page, "m-bad").get_by_role("button").click()
    panel = page.get_by_role("article", name="Task")
    expect(panel).to_contain_text("divide by zero")
    panel.get_by_role("button", name="Edit inputs").click()
    asked = page.get_by_role("alertdialog")
    asked.get_by_role("textbox").nth(1).fill("3")
    asked.get_by_role("button", name="Save and start again").click()
    expect(table_row(page, "m-bad")).to_contain_text("completed")
    panel.get_by_role("button", name="Rerun from here").click()
    asked = page.get_by_role("alertdialog")
    asked.get_by_role("button", name="Rerun from here").click()
    expect(asked).to_be_hidden()
    expect(table_row(page, "m-after")).to_contain_text("completed")
    assert ended(up, f"/workflows/{made}")["counts"]["completed"] == 3
    assert up.call("GET", "/tasks/m-first").get("attempt", 1) == 1, "what was right is not run again"


def test_what_is_selected_is_selected_in_all_views_and_in_the_address(page, up):
    made = workflow(up, "linked", task("l-1", 1, 2), task("l-2", 3, 4, after=["l-1"]))
    ended(up, f"/workflows/{made}")
    page.goto(f"workflows/{made}?view=table")
    table_row(page, "l-2").get_by_role("button").click()
    expect(page).to_have_url(re.compile("task=l-2"))
    panel = page.get_by_role("article", name="Task")
    expect(panel).to_contain_text("7")
    view(page, "Graph")
    expect(panel).to_contain_text("l-2")
    graph(page).focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("task=l-1"))
    expect(panel.get_by_text("l-1").first).to_be_visible()
    page.reload()
    expect(panel.get_by_text("l-1").first).to_be_visible()
    page.keyboard.press("Escape")
    graph(page).focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page).not_to_have_url(re.compile("task="))


def test_it_is_live(page, up):
    made = workflow(
        up,
        "live",
        task("v-1", 300, file=NAP) | {"name": "nap"},
        task("v-2", 300, file=NAP, after=["v-1"]) | {"name": "nap"},
        start=False,
    )
    page.goto(f"workflows/{made}?view=table")
    expect(table_row(page, "v-2")).to_contain_text("pending")
    words = confirm(page, "Start")
    assert "2 tasks will run" in words
    expect(table_row(page, "v-1")).to_contain_text("running")
    expect(table_row(page, "v-2")).to_contain_text("completed")
    expect(
        page.get_by_role("banner").or_(page.locator(".group-title")).get_by_text("completed")
    ).to_be_visible()


def test_a_job_is_stopped_and_rerun(page, up):
    made = job(up, "halting", task("j-1", file=LOOP), task("j-2", 1, 2), execution_mode="sequential")
    page.goto(f"jobs/{made}?view=table")
    expect(table_row(page, "j-1")).to_contain_text("running")
    words = confirm(page, "Stop")
    assert "will be interrupted" in words
    expect(table_row(page, "j-1")).to_contain_text("interrupted")
    up.call("PUT", "/tasks/j-1", {"name": "nap", "inputs": [1], "file": NAP})
    confirm(page, "Rerun failed")
    expect(table_row(page, "j-2")).to_contain_text("completed")
    ended(up, f"/jobs/{made}")


def test_it_is_cloned_and_deleted(page, up):
    made = workflow(up, "copied", task("c-1", 1, 2))
    ended(up, f"/workflows/{made}")
    page.goto(f"workflows/{made}")
    confirm(page, "Clone")
    expect(page).not_to_have_url(re.compile(made))
    expect(page.get_by_role("heading", level=1)).to_have_text("copied")
    other = page.url.partition("?")[0].rpartition("/")[2]
    words = confirm(page, "Delete")
    assert "can't be undone" in words
    expect(page).to_have_url(re.compile("/ui/workflows$"))
    up.call("GET", f"/workflows/{other}", status=404)
    up.call("GET", f"/workflows/{made}", status=200)


def test_a_workflow_that_is_deleted_under_the_reader(visit, up):
    made = workflow(up, "pulled", task("p-1", 1, 2))
    ended(up, f"/workflows/{made}")
    page = visit(up.url, path=f"workflows/{made}?task=p-1", may_say=NOT_LOADED)
    expect(page.get_by_role("article", name="Task")).to_contain_text("3")
    up.call("DELETE", f"/workflows/{made}")
    expect(page.get_by_role("heading", name="This workflow has been deleted")).to_be_visible()
    page.get_by_role("link", name="Show all workflows").click()
    expect(page).to_have_url(re.compile("/ui/workflows$"))
    page.goto(f"workflows/{made}")
    expect(page.get_by_role("heading", name="There is no such workflow")).to_be_visible()


def test_a_graph_is_walked_by_keys_and_said_aloud(page, up):
    made = workflow(
        up, "aloud", task("k-1", 1, 2), *(task(f"k-2-{n}", n, 1, after=["k-1"]) for n in range(3))
    )
    ended(up, f"/workflows/{made}", COMPLETED)
    page.goto(f"workflows/{made}?task=k-1")
    expect(graph(page)).to_have_attribute("data-first-picture", re.compile(r"\d+"))
    graph(page).focus()
    page.keyboard.press("ArrowRight")
    said = page.get_by_role("status").filter(has_text=re.compile("^k-2-"))
    expect(said).to_have_text(re.compile(r"^k-2-\d, completed$"))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("status").filter(has_text="k-1, completed")).to_be_attached()


def test_a_schedule_is_paused_and_resumed(page, up):
    """A double click opens the question; its second click does not close it again."""
    made = workflow(up, "nightly", task("p-1", 1, 2), start=False, schedule="0 3 * * *", is_recurring=True)
    page.goto(f"workflows/{made}")
    page.get_by_role("button", name="Pause schedule").dblclick()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("No more times of its schedule come")
    asked.get_by_role("button", name="Pause schedule").click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    assert up.call("GET", f"/workflows/{made}/schedule")["paused"]
    page.get_by_role("button", name="Resume schedule").click()
    asked.get_by_role("button", name="Resume schedule").click()
    expect(page.get_by_role("button", name="Pause schedule")).to_be_visible()
    assert not up.call("GET", f"/workflows/{made}/schedule")["paused"]
    up.call("DELETE", f"/workflows/{made}")
