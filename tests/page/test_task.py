"""One task, at an address of its own: what is shown of it whatever it wrote, and what can be done with it."""

import re
from urllib.parse import quote

from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED
from tests.page.works import (
    ADDITION,
    COMPLETED,
    DIVISION,
    FAILED,
    LOOP,
    MARKUP,
    RUNNING,
    ended,
    module,
    single,
    task,
    workflow,
    writer,
)


def panel(page):
    return page.get_by_role("article", name="Task")


def part(page, name):
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)


def confirmed(page, button):
    page.get_by_role("toolbar", name="What to do with the task").get_by_role(
        "button", name=button, exact=True
    ).click()
    return page.get_by_role("alertdialog")


def test_results_of_a_megabyte_with_control_characters(page, up):
    made = single(up, name="_start", file=writer(16, to=1))
    ended(up, f"/tasks/{made}")
    page.goto(f"tasks/{made}")
    result = panel(page).locator(".value").first
    expect(result).to_contain_text("1.0 MiB")
    expect(result).to_contain_text("␀␁␂")
    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f]", result.inner_text())
    result.get_by_role("button", name="Show all").click()
    whole = page.get_by_role("region", name="Result, the whole text")
    expect(whole).to_be_visible()
    whole.press("End")
    expect(whole).to_contain_text("␡")
    with page.expect_download() as got:
        result.get_by_role("button", name="Download").click()
    assert got.value.path().read_bytes() == bytes(range(128)) * 8192


def test_what_a_user_wrote_is_text(page, up):
    """Names, inputs, errors and ids with markup in them run nothing and load nothing."""
    exported = MARKUP.replace('"', '\\"')
    trapping = module(f'(module (func (export "{exported}") unreachable))')
    made = quote(single(up, id=MARKUP.replace("/", "|"), name=MARKUP, file=trapping), safe="")
    ended(up, f"/tasks/{made}", FAILED)
    page.goto(f"tasks/{made}")
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP.replace("/", "|"))
    expect(panel(page).get_by_text(MARKUP, exact=True)).to_be_visible()
    for name in ("Logs", "History", "Metrics", "Module", "Settings", "Summary"):
        part(page, name)
    assert page.locator("main img, main script").count() == 0


def test_logs_of_a_guest_that_writes_a_hundred_megabytes(page, up):
    made = single(up, name="_start", file=writer(1600, to=2, mask=0x3F))
    ended(up, f"/tasks/{made}")
    page.goto(f"tasks/{made}?part=logs")
    logs = page.get_by_role("region", name="Logs")
    expect(logs).to_contain_text("was not kept")
    page.get_by_role("searchbox", name="Find in the logs").fill("0123")
    expect(page.get_by_role("tabpanel").get_by_role("status")).to_contain_text(re.compile(r"1 of [\d,]{3,}"))


def test_a_task_is_stopped_edited_and_started_again(page, up):
    made = single(up, file=DIVISION, inputs=[84, 0])
    ended(up, f"/tasks/{made}", FAILED)
    page.goto(f"tasks/{made}")
    expect(panel(page)).to_contain_text("divide by zero")
    asked = confirmed(page, "Edit inputs")
    asked.get_by_role("textbox").nth(1).fill("2")
    asked.get_by_role("button", name="Save and start again").click()
    expect(asked).to_be_hidden()
    expect(panel(page).get_by_text("completed", exact=True)).to_be_visible()
    expect(panel(page).locator(".value").first).to_contain_text("42")
    assert up.call("GET", f"/tasks/{made}")["results"] == "42\n"
    history = part(page, "History")
    expect(history).to_contain_text("divide by zero")


def test_a_running_task_is_stopped(page, up):
    made = single(up, file=LOOP)
    ended(up, f"/tasks/{made}", RUNNING)
    page.goto(f"tasks/{made}")
    expect(panel(page).get_by_text("running", exact=True)).to_be_visible()
    asked = confirmed(page, "Stop")
    expect(asked).to_contain_text("becomes interrupted")
    page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    assert up.call("GET", f"/tasks/{made}")["state"] == RUNNING
    confirmed(page, "Stop").get_by_role("button", name="Stop").click()
    expect(panel(page).get_by_text("interrupted", exact=True)).to_be_visible()


def test_a_change_that_is_refused_says_why_and_stays(visit, up):
    made = workflow(up, "kept", task("kept-first", 1, 2), task("kept-second", 3, 4, after=["kept-first"]))
    ended(up, f"/workflows/{made}", COMPLETED)
    page = visit(up.url, path="tasks/kept-first", may_say=NOT_LOADED)
    asked = confirmed(page, "Delete")
    asked.get_by_role("button", name="Delete").click()
    expect(asked.get_by_role("alert")).to_contain_text("kept-second")
    expect(asked).to_be_visible()


def test_the_module_is_shown_with_its_exports(page, up):
    made = single(up, file=ADDITION, inputs=[1, 2], start=False)
    page.goto(f"tasks/{made}?part=module")
    shown = page.get_by_role("tabpanel", name="Module")
    for text in ("main", "i32", "sha256:"):
        expect(shown).to_contain_text(text)


def test_a_task_that_is_deleted_under_the_reader(visit, up):
    made = single(up, file=ADDITION, inputs=[1, 2])
    ended(up, f"/tasks/{made}")
    page = visit(up.url, path=f"tasks/{made}", may_say=NOT_LOADED)
    expect(panel(page).locator(".value").first).to_contain_text("3")
    up.call("DELETE", f"/tasks/{made}")
    expect(panel(page)).to_contain_text("has been deleted")
    expect(panel(page).locator(".value").first).to_contain_text("3")
    page.reload()
    expect(panel(page)).to_contain_text("There is no such task")
