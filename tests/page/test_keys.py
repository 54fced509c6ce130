"""The keys of `propeller top` do the same in the page, and only where nobody types."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.works import COMPLETED, DIVISION, FAILED, INTERRUPTED, LOOP, ended, single, task, workflow


@pytest.fixture
def mixed(up):
    """Give the label of a workflow that does not end, and of one that failed."""
    label = "mixed"
    made = [
        workflow(up, "endless", task("k-endless", file=LOOP), labels={"for": label}),
        workflow(up, "broken", task("k-broken", 1, 0, file=DIVISION), labels={"for": label}),
    ]
    ended(up, f"/workflows/{made[1]}", FAILED)
    yield made
    for one in made:
        up.call("DELETE", f"/workflows/{one}")


def question(page):
    return page.get_by_role("alertdialog")


def test_in_a_list_keys_act_on_the_row_with_the_focus_or_on_all_that_are_selected(page, up, mixed):
    page.goto("workflows?label=for%3Dmixed")
    rows = page.get_by_role("main").get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.keyboard.press("d")
    expect(question(page)).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(question(page)).to_contain_text("Rerun what failed in 1 workflow?")
    page.keyboard.press("d")
    expect(question(page)).to_contain_text("Rerun what failed")
    page.keyboard.press("Escape")
    expect(question(page)).to_be_hidden()
    expect(rows.nth(0).get_by_role("link").first).to_be_focused()
    page.keyboard.press("x")
    expect(question(page)).to_be_hidden()
    page.keyboard.press("Space")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    page.keyboard.press("x")
    expect(question(page)).to_contain_text("Stop 1 workflow?")
    question(page).get_by_role("button", name="Stop").click()
    ended(up, f"/workflows/{mixed[0]}", INTERRUPTED)


def test_keys_mean_nothing_while_somebody_types_or_holds_another_key(page, mixed):
    page.goto(f"workflows/{mixed[1]}")
    expect(page.get_by_role("toolbar", name="What to do with the workflow")).to_be_visible()
    for keys in ("Control+d", "Alt+x", "Meta+r"):
        page.evaluate("keys => window.dispatchEvent(new KeyboardEvent('keydown', keys))", _held(keys))
    page.keyboard.press("/")
    page.keyboard.type("dxrs")
    expect(question(page)).to_be_hidden()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(question(page)).to_be_hidden()
    page.keyboard.press("d")
    expect(question(page)).to_contain_text("Delete: broken")


def _held(keys):
    held, key = keys.split("+")
    return {
        "key": key,
        "bubbles": True,
        f"{ {'Control': 'ctrl', 'Alt': 'alt', 'Meta': 'meta'}[held] }Key": True,
    }


def test_beside_a_picture_keys_mean_the_task_that_is_selected(page, mixed):
    page.goto(f"workflows/{mixed[1]}?task=k-broken")
    expect(page.get_by_role("toolbar", name="What to do with the task")).to_be_visible()
    page.keyboard.press("?")
    listed = page.get_by_role("dialog")
    expect(listed).to_contain_text("Delete the task")
    expect(listed).not_to_contain_text("Delete the workflow")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(question(page)).to_contain_text("Rerun from")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Close the task").click()
    page.keyboard.press("r")
    expect(question(page)).to_contain_text("Rerun failed: broken")


def test_a_task_is_started_again_and_deleted_by_keys(page, up):
    task_id = single(up, file=DIVISION, inputs=[4, 2])
    ended(up, f"/tasks/{task_id}", COMPLETED)
    page.goto(f"tasks?search={task_id}")
    expect(page.get_by_role("rowheader")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(question(page)).to_contain_text("again?")
    question(page).get_by_role("button", name="Start again").click()
    expect(question(page)).to_be_hidden()
    page.goto(f"tasks/{task_id}")
    expect(page.get_by_text("attempt 2")).to_be_visible()
    page.keyboard.press("d")
    question(page).get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/ui/tasks$"))
    up.call("GET", f"/tasks/{task_id}", status=404)


@pytest.mark.parametrize("view", ["", "?view=table"])
def test_a_proplet_is_cordoned_and_taken_back_by_keys(page, up, view):
    proplet = up.call("GET", "/proplets")["proplets"][0]["id"]
    page.goto(f"proplets{view}")
    if view:
        page.get_by_role("rowheader").first.wait_for()
        page.keyboard.press("j")
    else:
        page.get_by_role("application").focus()
        page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    question(page).get_by_role("button", name="Cordon").click()
    expect(question(page)).to_be_hidden()
    assert up.call("GET", f"/proplets/{proplet}")["cordoned"]
    page.goto(f"proplets/{proplet}")
    page.get_by_role("toolbar", name="What to do with the proplet").wait_for()
    page.keyboard.press("u")
    question(page).get_by_role("button", name="Uncordon").click()
    expect(question(page)).to_be_hidden()
    assert not up.call("GET", f"/proplets/{proplet}").get("cordoned")


def test_digits_go_where_they_go_in_propeller_top(page):
    for digit, name in (
        ("2", "Workflows"),
        ("3", "Tasks"),
        ("4", "Proplets"),
        ("5", "Events"),
        ("1", "Overview"),
    ):
        page.keyboard.press(digit)
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
