"""The lists of workflows and jobs: filters, places, and what is done to several at once."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED
from tests.page.works import DIVISION, FAILED, INTERRUPTED, LOOP, ended, job, task, workflow


def rows(page):
    return page.get_by_role("main").get_by_role("table").locator("tbody tr")


def row(page, name):
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader").get_by_text(name, exact=True))


@pytest.fixture(scope="module")
def several(up):
    """Give an own label to one workflow that completes, and to one that fails."""
    labels = {"kind": "several"}
    good = workflow(up, "good", task("a-good", 1, 2), labels=labels)
    bad = workflow(up, "bad", task("a-bad", 1, 0, file=DIVISION), labels=labels)
    ended(up, f"/workflows/{good}")
    ended(up, f"/workflows/{bad}", FAILED)


def test_filters_are_in_the_address_and_back_takes_them_off(page, several):
    page.goto("workflows?label=kind%3Dseveral")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("navigation", name="State").get_by_role("link", name="failed").click()
    expect(rows(page)).to_have_count(1)
    expect(row(page, "bad")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?.*state=failed"))
    page.get_by_role("searchbox", name="Search workflows").fill("goo")
    expect(page).to_have_url(re.compile("search=goo"))
    expect(page.get_by_text("No workflow is like that")).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox", name="Search workflows")).to_have_value("goo")
    page.get_by_role("searchbox", name="Search workflows").fill("")
    expect(row(page, "bad")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("combobox", name="Created").select_option(index=1)
    expect(page).to_have_url(re.compile("since="))
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Take out the filter kind=several").click()
    expect(page).not_to_have_url(re.compile("label="))


def test_slash_goes_to_the_search_and_letters_are_no_keys_there(page, several):
    page.goto("workflows")
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search workflows")
    expect(search).to_be_focused()
    page.keyboard.type("gw bad")
    expect(search).to_have_value("gw bad")


def test_rows_are_walked_selected_and_opened_by_keys(page, several):
    page.goto("workflows?label=kind%3Dseveral")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("j")
    expect(rows(page).nth(0).get_by_role("link").first).to_be_focused()
    page.keyboard.press("Space")
    expect(rows(page).nth(0).get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/ui/workflows/.+"))


@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_several_are_stopped_at_once(page, up, kind):
    make = {"workflow": workflow, "job": job}[kind]
    label = f"stopped-{kind}"
    made = [make(up, f"endless-{n}", task(f"{kind}-{n}", file=LOOP), labels={"for": label}) for n in range(2)]
    made += [make(up, "short", task(f"{kind}-short", 1, 2), labels={"for": label})]
    ended(up, f"/{kind}s/{made[2]}")
    page.goto(f"{kind}s?label=for%3D{label}")
    expect(rows(page)).to_have_count(3)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("toolbar").get_by_role("button", name="Stop").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text(f"Stop 2 {kind}s?")
    expect(asked).to_contain_text("2 tasks have not ended yet, and will be interrupted")
    expect(asked).to_contain_text("1 of the selected stays as it is")
    asked.get_by_role("button", name="Stop").click()
    expect(asked).to_be_hidden()
    for name in ("endless-0", "endless-1"):
        expect(row(page, name).get_by_text("interrupted", exact=True)).to_be_visible()
    assert [up.call("GET", f"/{kind}s/{one}?tasks=false")["state"] for one in made] == [INTERRUPTED] * 2 + [3]


def test_several_are_deleted_and_one_that_is_gone_already_is_no_trouble(visit, up):
    made = [workflow(up, f"doomed-{n}", task(f"doomed-{n}", 1, 2), labels={"for": "doom"}) for n in range(3)]
    for one in made:
        ended(up, f"/workflows/{one}")
    page = visit(up.url, path="workflows?label=for%3Ddoom", may_say=NOT_LOADED)
    expect(rows(page)).to_have_count(3)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    up.call("DELETE", f"/workflows/{made[0]}")
    page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("can't be undone")
    asked.get_by_role("button", name="Delete").click()
    expect(asked).to_be_hidden()
    expect(page.get_by_text("No workflow is like that")).to_be_visible()
    for one in made:
        up.call("GET", f"/workflows/{one}", status=404)


def test_what_is_refused_in_bulk_is_said_with_its_reason(visit, up):
    """One of those that are to run again ended when it was selected, and runs when it is asked."""
    made = [workflow(up, f"again-{n}", task(f"again-{n}", 1, 2), labels={"for": "again"}) for n in range(2)]
    for one in made:
        ended(up, f"/workflows/{one}")
    page = visit(up.url, path="workflows?label=for%3Dagain", may_say=NOT_LOADED)
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("toolbar").get_by_role("button", name="Rerun all tasks").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("All 2 tasks will run again")
    up.call("PUT", "/tasks/again-1", {"file": LOOP, "inputs": []})
    up.call("POST", "/tasks/again-1/start")
    asked.get_by_role("button", name="Rerun all tasks").click()
    refused = page.get_by_role("alert").filter(has_text="could not be done")
    expect(refused).to_contain_text("1 of 2 could not be done")
    expect(refused).to_contain_text("again-1")
    up.call("POST", "/tasks/again-1/stop")


def test_a_long_list_goes_on_behind_its_place(page, up):
    for number in range(60):
        workflow(up, f"page-{number}", task(f"page-{number}"), start=False, labels={"for": "pages"})
    page.goto("workflows?label=for%3Dpages")
    expect(row(page, "page-59")).to_be_visible()
    expect(row(page, "page-0")).to_be_hidden()
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(row(page, "page-0")).to_be_visible()
    expect(row(page, "page-59")).to_be_hidden()
    page.reload()
    expect(row(page, "page-0")).to_be_visible()
    page.get_by_role("link", name="Newest").click()
    expect(row(page, "page-59")).to_be_visible()


@pytest.mark.parametrize("width", [390, 800, 1024, 1440])
def test_names_have_room_on_each_width(visit, up, several, width):
    page = visit(up.url, path="workflows?label=kind%3Dseveral", viewport={"width": width, "height": 800})
    name = row(page, "good").get_by_role("link", name="good")
    expect(name).to_be_visible()
    assert name.evaluate("link => link.closest('th').clientWidth") >= 120
