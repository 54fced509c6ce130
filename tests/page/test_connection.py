"""What the page says and does when the manager, or what stands between, fails it."""

import re

from playwright.sync_api import expect

from tests.page.visits import NOT_LOADED, lost_banner
from tests.parts.ports import free_port
from tests.parts.reverse_proxy import Answer
from tests.waiting import until

SOON_MS = 6_000


def test_a_manager_that_stops_in_order_is_missed_too(own, visit):
    own.flags = ("--port", str(free_port()))
    own.up()
    page = visit(own.url, may_say=NOT_LOADED)
    with page.expect_response(re.compile("/overview$")):
        page.reload()
    own.stop()
    expect(lost_banner(page)).to_be_visible(timeout=SOON_MS)
    own.up()
    expect(lost_banner(page)).to_be_hidden()


def test_a_sign_in_that_ran_out_is_named(proxy, visit):
    """A proxy that signs people in answers 401 from some moment on."""
    page = visit(proxy.url, path="workflows", may_say=NOT_LOADED)
    until(lambda: proxy.streams)
    proxy.instead["/(?!ui)"] = Answer.of_text(401, "<html><h1>401 Authorization Required</h1></html>")
    proxy.cut()
    named = page.get_by_role("status").filter(has_text="Sign in again")
    expect(named).to_be_visible(timeout=SOON_MS)
    page.reload()
    expect(named).to_be_visible(timeout=SOON_MS)
    proxy.instead.clear()
    expect(named).to_be_hidden()


def test_a_bad_gateway_is_said_in_words(proxy, visit):
    page = visit(proxy.url, path="workflows", may_say=NOT_LOADED)
    proxy.instead["/(?!ui)"] = Answer.of_text(502, "<html><h1>502 Bad Gateway</h1></html>")
    page.reload()
    expect(lost_banner(page)).to_be_visible()
    assert "<h1>" not in page.get_by_role("main").inner_text()
    proxy.instead.clear()
    expect(lost_banner(page)).to_be_hidden()


def test_a_tab_that_is_opened_in_the_background_holds_no_connection(visit, up):
    """A browser has six for all tabs, so a seventh tab would never load."""
    page = visit(up.url)
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => !window.isSeen})")
    streams = []
    page.on("request", lambda asked: asked.url.endswith("/overview") and streams.append(asked.url))
    page.goto("workflows", wait_until="networkidle")
    assert streams == []
    with page.expect_request("**/overview"):
        page.evaluate("window.isSeen = true; document.dispatchEvent(new Event('visibilitychange'))")
