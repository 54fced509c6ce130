"""Whatever happens to the connection: what is shown is true, and comes by itself."""

from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED, lost_banner
from tests.parts.ports import free_port
from tests.parts.reverse_proxy import Answer
from tests.waiting import until

SOON_MS = 6_000
#: Longer than the page waits for a sign of life.
SILENCE_MS = 45_000


def test_a_killed_manager_is_missed_and_found_again(own, visit):
    """And what is shown then is true."""
    own.flags = ("--port", str(free_port()))
    own.up()
    page = visit(own.url, path="workflows", may_say=NOT_LOADED)
    made = own.call("POST", "/workflows", {"name": "before", "tasks": [{"name": "main"}]})
    expect(page.get_by_text("before")).to_be_visible()
    own.kill()
    expect(lost_banner(page)).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("before")).to_be_visible()
    own.up()
    own.call("DELETE", f"/workflows/{made['tasks'][0]['workflow_id']}")
    own.call("POST", "/workflows", {"name": "after", "tasks": [{"name": "main"}]})
    expect(lost_banner(page)).to_be_hidden()
    expect(page.get_by_text("after")).to_be_visible()
    expect(page.get_by_text("before")).to_be_hidden()


def test_a_proxy_that_cuts_streams_each_second_is_no_trouble(up, proxy, visit):
    """What is shown stays true, and nobody is bothered with it."""
    proxy.stream_s_max = 1
    page = visit(proxy.url, path="workflows", may_say=NOT_LOADED)
    until(lambda: proxy.streams >= 2)
    up.call("POST", "/workflows", {"name": "beside the cuts", "tasks": [{"name": "main"}]})
    expect(page.get_by_text("beside the cuts").first).to_be_visible()
    until(lambda: proxy.streams >= 5)
    expect(lost_banner(page)).to_be_hidden()


def test_a_stream_that_stalls_in_silence_is_begun_again(up, proxy, visit):
    page = visit(proxy.url, path="nowhere", may_say=NOT_LOADED)
    page.clock.install()
    page.goto("workflows")
    until(lambda: proxy.streams)
    expect(page.get_by_role("main")).not_to_be_empty()
    before = proxy.streams
    proxy.stall()
    up.call("POST", "/workflows", {"name": "in the silence", "tasks": [{"name": "main"}]})
    page.clock.fast_forward(SILENCE_MS)
    until(lambda: proxy.streams > before)
    expect(page.get_by_text("in the silence").first).to_be_visible()
    expect(lost_banner(page)).to_be_hidden()


def test_a_part_of_the_page_that_can_not_be_loaded_yet_comes_with_the_manager(own, visit):
    """What the reader goes to first while the manager is away."""
    own.flags = ("--port", str(free_port()))
    own.up()
    page = visit(own.url, path="workflows", may_say=f"{NOT_LOADED}|could not be loaded")
    expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
    own.kill()
    page.get_by_role("link", name="Proplets").click()
    expect(lost_banner(page)).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_role("navigation")).to_be_visible()
    own.up()
    expect(page.get_by_role("heading", name="Proplets", exact=True)).to_be_visible(timeout=SOON_MS)


def test_a_page_of_another_version_is_loaded_anew(up, proxy, visit):
    """The manager was replaced under an open tab, and no longer has the files that the tab names."""
    page = visit(proxy.url, path="workflows", may_say=f"{NOT_LOADED}|could not be loaded")
    expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
    gone = Answer.of_text(404, '{"error": "another version"}', "application/json")
    proxy.instead[r"/ui/assets/fleet-.*\.js"] = gone
    with page.expect_event("load"):
        page.get_by_role("link", name="Proplets").click()
    # This manager has lost a file for good, so that loading anew is no help, and the page says so.
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
    proxy.instead.clear()
    page.get_by_role("link", name="Proplets").click()
    page.get_by_role("button", name="Load the page again").click()
    expect(page.get_by_role("heading", name="Proplets", exact=True)).to_be_visible()


def test_a_fault_of_one_page_leaves_the_others(up, proxy, visit):
    """An answer that no version of ours gives breaks what shows it, and nothing around it."""
    strange = '{"total": 1, "failures": [{"task_id": 7}]}'
    proxy.instead["/failures"] = Answer.of_text(200, strange, "application/json")
    page = visit(proxy.url, path="overview", may_say=f"{NOT_LOADED}|TypeError")
    expect(page.get_by_role("alert")).to_contain_text("This can't be shown")
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
