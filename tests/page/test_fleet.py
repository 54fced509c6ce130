"""The fleet: proplets that are killed, cordoned and drained are seen as such."""

import contextlib
import re

import psutil
import pytest
from playwright.sync_api import expect

from tests.e2e.local.harness import System
from tests.page.works import LOOP, RUNNING, ended, single
from tests.waiting import until


@pytest.fixture
def two(tmp_path):
    """Give a system with two proplets of two slots each."""
    system = System(tmp_path / "data", "--proplets", "2", "--concurrency", "2")
    system.up()
    until(lambda: sum(one["alive"] for one in system.call("GET", "/proplets")["proplets"]) == 2)
    yield system
    system.clean_up()


def busy_proplet(system):
    """Find the process of the proplet whose guest computes."""
    for proplet in system.proplet_processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(child.cpu_times().user > 0.5 for child in proplet.children(recursive=True)):
                return proplet
    return None


def kill_again_and_again(system, proplet):
    """Kill it, and those that are started in its place until the next one is started only after some seconds."""
    others = [one.pid for one in system.proplet_processes() if one != proplet]

    def successor():
        with contextlib.suppress(psutil.NoSuchProcess):
            return next((one for one in system.proplet_processes() if one.pid not in others), None)

    for _ in range(5):
        until(successor).kill()


def row(page, proplet):
    return page.get_by_role("row").filter(has=page.locator(f"a[href$='/proplets/{proplet}']"))


def test_a_proplet_that_is_killed_is_seen_lost_and_alive_again(two, visit):
    """Its task begins anew on the other, and each page says so."""
    made = single(two, file=LOOP)
    where = ended(two, f"/tasks/{made}", RUNNING)["proplet_id"]
    other = next(one["id"] for one in two.call("GET", "/proplets")["proplets"] if one["id"] != where)
    page = visit(two.url, path="proplets?view=table")
    expect(row(page, where)).to_contain_text("1 of 2")
    expect(row(page, other)).to_contain_text("0 of 2")
    kill_again_and_again(two, until(lambda: busy_proplet(two)))
    expect(row(page, where)).to_contain_text("not alive")
    expect(row(page, other)).to_contain_text("1 of 2")
    expect(row(page, where)).to_contain_text("0 of 2")
    expect(row(page, where)).not_to_contain_text("not alive")
    page.goto(f"tasks/{made}?part=history")
    expect(page.get_by_role("tabpanel", name="History")).to_contain_text("lost")
    expect(page.get_by_role("article", name="Task")).to_contain_text("attempt 2")


def test_a_proplet_is_cordoned_drained_and_taken_back(two, visit):
    made = single(two, file=LOOP)
    where = ended(two, f"/tasks/{made}", RUNNING)["proplet_id"]
    page = visit(two.url, path=f"proplets/{where}")
    tools = page.get_by_role("toolbar", name="What to do with the proplet")
    asked = page.get_by_role("alertdialog")
    tools.get_by_role("button", name="Cordon").click()
    expect(asked).to_contain_text("It gets no new tasks. The one task that it has goes on")
    asked.get_by_role("button", name="Cordon").click()
    expect(page.get_by_role("main").get_by_text("cordoned", exact=True)).to_be_visible()
    assert two.call("GET", f"/proplets/{where}")["cordoned"]
    assert two.call("GET", f"/tasks/{made}")["proplet_id"] == where, "what runs goes on"
    tools.get_by_role("button", name="Drain").click()
    asked.get_by_role("combobox", name="Move what still runs").select_option("at once")
    asked.get_by_role("button", name="Drain").click()
    expect(page.get_by_role("heading", name="Runs now")).to_contain_text("0 of 2")
    moved = until(lambda: (found := two.call("GET", f"/tasks/{made}"))["state"] == RUNNING and found)
    assert moved["proplet_id"] != where
    tools.get_by_role("button", name="Uncordon").click()
    asked.get_by_role("button", name="Uncordon").click()
    expect(page.get_by_role("main").get_by_text("alive", exact=True)).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Proplets").click()
    expect(page.get_by_text("2 of 2 alive · 1 of 4 slots taken")).to_be_visible()


def test_the_map_is_walked_by_keys_and_leads_to_what_runs(two, visit):
    made = single(two, file=LOOP)
    ended(two, f"/tasks/{made}", RUNNING)
    page = visit(two.url, path="proplets")
    expect(page.get_by_text("1 of 4 slots taken")).to_be_visible()
    slots = page.get_by_role("application", name="Map of the fleet")
    slots.focus()
    said = slots.get_by_role("status")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        expect(said).to_be_visible()
        if "running" in said.inner_text():
            break
    expect(said).to_contain_text(made)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/tasks/{made}$"))
