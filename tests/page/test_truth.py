"""Whatever happens to the connection: what is shown is true, and comes by itself."""

from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED, lost_banner
from tests.parts.ports import free_port
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
