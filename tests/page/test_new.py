"""Tasks, workflows and jobs are made in the page alone, and what it does can be pasted elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED
from tests.page.works import ended
from tests.parts.programs import path_of

EXAMPLES = Path(__file__).parents[2] / "examples"
RESULTS = {"001": "30", "002": "20", "003": "300"}


def form(page, kind):
    return page.get_by_role("form", name=f"New {kind}")


def preview(page):
    return page.get_by_role("region", name="Preview").filter(visible=True).get_by_role("img")


def address_id(page, kind):
    """Wait for the page of what was made, and give its id."""
    expect(page).to_have_url(re.compile(f"/ui/{kind}s/[^/?]+"))
    return page.url.partition("?")[0].rpartition("/")[2]


def test_the_tutorial_by_hand(page, up):
    """Drop the module, paste the workflow, see its graph, create it, start it, watch 30, 20 and 300 arrive."""
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.get_by_role("navigation", name="What to make").get_by_role("link", name="Workflow").click()
    making = form(page, "workflow")
    making.get_by_label("Files").set_input_files(EXAMPLES / "addition.wat")
    making.get_by_role("textbox", name="Workflow file").fill(
        (EXAMPLES / "addition-workflow.yaml").read_text()
    )
    expect(preview(page)).to_have_accessible_name("Graph: 3 tasks, 2 edges")
    expect(page.get_by_role("region", name="Files").filter(visible=True)).to_contain_text(
        "main(i32, i32) → i32"
    )
    making.get_by_role("button", name="Create", exact=True).click()
    made = address_id(page, "workflow")
    expect(page.get_by_role("heading", level=1)).to_have_text("addition")
    expect(page.get_by_role("application", name="Graph of 3 tasks")).to_have_attribute(
        "data-first-picture", re.compile(".")
    )
    page.get_by_role("toolbar").get_by_role("button", name="Start").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Table").click()
    for number, result in RESULTS.items():
        page.get_by_role("rowheader").get_by_role("button", name=f"task-{number}").click()
        panel = page.get_by_role("article", name="Task")
        expect(panel.get_by_text("completed", exact=True).first).to_be_visible()
        expect(panel.locator(".value").first).to_contain_text(re.compile(rf"^{result}\s"))
    assert ended(up, f"/workflows/{made}")["counts"]["completed"] == 3
    up.call("DELETE", f"/workflows/{made}")


def test_mistakes_are_shown_at_their_lines(page):
    page.goto("new?kind=workflow")
    making = form(page, "workflow")
    making.get_by_label("Files").set_input_files(EXAMPLES / "addition.wat")
    wrong = (
        (EXAMPLES / "addition-workflow.yaml")
        .read_text()
        .replace("depends_on: [task-001]", "depends_on: [task-009]", 1)
    )
    making.get_by_role("textbox", name="Workflow file").fill(wrong)
    mistakes = page.get_by_role("region", name="Mistakes").filter(visible=True)
    expect(mistakes).to_contain_text("task-009")
    line = mistakes.get_by_role("button", name=re.compile(r"Line \d+")).first
    number = int(line.inner_text().removeprefix("Line "))
    assert "task-009" in wrong.splitlines()[number - 1]
    line.click()
    expect(making.get_by_role("textbox", name="Workflow file")).to_be_focused()
    making.get_by_role("button", name="Create and start").click()
    expect(making.get_by_role("alert")).to_contain_text("mistakes")


def test_a_task_is_made_from_a_module_with_fields_for_its_parameters(page, up):
    page.goto("new")
    making = form(page, "task")
    making.get_by_label("Module").set_input_files(EXAMPLES / "addition.wat")
    expect(page.get_by_role("region", name="What the module is")).to_contain_text("main")
    making.get_by_label(re.compile("Input 1")).fill("19")
    making.get_by_label(re.compile("Input 2")).fill("23")
    making.get_by_role("button", name="Create and start").click()
    made = address_id(page, "task")
    expect(page.locator(".value").first).to_contain_text("42")
    assert ended(up, f"/tasks/{made}")["results"] == "42\n"


def test_what_is_no_module_is_refused_in_words(visit, up, tmp_path):
    (tmp_path / "broken.wat").write_text("(module (func (export oops)))")
    page = visit(up.url, path="new", may_say=NOT_LOADED)
    form(page, "task").get_by_label("Module").set_input_files(tmp_path / "broken.wat")
    refused = page.get_by_role("alert").filter(has_text="can't be used as a module")
    expect(refused).to_contain_text(re.compile("line 1|1:"))


@pytest.mark.parametrize("way", ["curl", "CLI", "Python"])
def test_what_is_copied_can_be_run(page, up, way, tmp_path):
    """The example of a job, as text to paste; it does what the button does."""
    page.goto("new?kind=job")
    making = form(page, "job")
    making.get_by_role("button", name=re.compile("Take an example")).click()
    making.get_by_role("button", name="Copy as …").click()
    making.get_by_role("button", name=way, exact=True).click()
    shown = making.get_by_role("region", name=f"As {way}")
    expect(shown).not_to_be_empty()
    before = up.call("GET", "/jobs")["total"]
    (tmp_path / "addition.wat").write_text((EXAMPLES / "addition.wat").read_text())
    bins = Path(sys.executable).parent
    command = [sys.executable, "-"] if way == "Python" else [path_of("bash"), "-e"]
    done = subprocess.run(
        command,
        input=shown.inner_text(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{bins}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = up.call("GET", "/jobs")
    assert listed["total"] == before + 1
    made = listed["jobs"][0]["job_id"]
    assert ended(up, f"/jobs/{made}")["counts"]["completed"] == 3
