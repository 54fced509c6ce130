"""Signing in and out on the page of a manager that asks for tokens, and what pages of other origins can't do."""

import http.server
import json
import threading

import pytest
from playwright.sync_api import expect

from tests.cli.test_tokens import Terminal
from tests.e2e.local.harness import System
from tests.page.visits import NOT_LOADED


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, browser):
    """A manager that asks for tokens, and the text of one for an operator, which was made before it ran."""
    directory = tmp_path_factory.mktemp("guarded")
    words = ("tokens", "create", "--data-dir", str(directory / "data"), "--json", "--role")
    made = [
        json.loads(Terminal(directory).well(*words, role, "--name", role)) for role in ("operator", "admin")
    ]
    system = System(directory / "data", "--auth", "tokens")
    system.up()
    yield system, *made
    system.clean_up()


def sign_in(page, token):
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_one_signs_in_sees_who_one_is_and_signs_out(visit, guarded):
    system, operator, _ = guarded
    page = visit(system.url, path="workflows", may_say=NOT_LOADED)
    expect(page.get_by_role("heading", name="Sign in to Propeller")).to_be_visible()
    sign_in(page, "prp_wrong")
    expect(page.get_by_role("alert")).to_contain_text("does not know this token")
    sign_in(page, operator["token"])
    expect(page.get_by_role("navigation").get_by_text("operator").first).to_be_visible()
    expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
    assert operator["token"] not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Propeller")).to_be_visible()


def test_an_event_source_is_let_in_by_the_cookie(visit, guarded):
    system, operator, _ = guarded
    page = visit(system.url, may_say=NOT_LOADED)
    sign_in(page, operator["token"])
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    opened = """new Promise(done => {
        const source = new EventSource(new URL("../events", document.baseURI));
        source.onopen = () => { source.close(); done("open") };
        source.onerror = () => { source.close(); done("refused") };
    })"""
    assert page.evaluate(opened) == "open"


def test_a_session_that_ends_leads_back_to_the_sign_in(visit, guarded):
    system, _, admin = guarded
    page = visit(system.url, path="tasks", may_say=NOT_LOADED)
    headers = {"authorization": f"Bearer {admin['token']}"}
    made = system.http.post("/tokens", json={"name": "ann", "role": "viewer"}, headers=headers).json()
    sign_in(page, made["token"])
    expect(page.get_by_role("navigation").get_by_text("ann")).to_be_visible()
    assert system.http.delete(f"/tokens/{made['id']}", headers=headers).status_code == 204
    expect(page.get_by_role("heading", name="Sign in to Propeller")).to_be_visible(timeout=10_000)


class Foreign(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><main>elsewhere</main>")

    def log_message(self, *_):
        pass


@pytest.fixture
def tab(browser):
    """A page whose complaints are no fault: the browser says of each thing that it forbids."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_page_of_another_origin_can_use_no_session(tab, guarded):
    """The other page is of the same machine, on another port: a browser sends the cookie, and the gate refuses."""
    system, operator, _ = guarded
    page = tab
    page.goto(f"{system.url}/ui/")
    sign_in(page, operator["token"])
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        there = page.context.new_page()
        there.goto(f"http://127.0.0.1:{server.server_port}/")
        tried = """async (url) => {
            const sent = await fetch(url + "/tasks", {method: "POST", credentials: "include", mode: "no-cors",
                body: '{"name": "stolen"}'}).then(() => "sent", () => "failed");
            const left = await fetch(url + "/session", {method: "DELETE", credentials: "include"}).catch(() => null);
            const read = await fetch(url + "/tasks", {credentials: "include"}).then(() => "read", () => "kept");
            return [sent, left === null, read];
        }"""
        assert there.evaluate(tried, system.url) == ["sent", True, "kept"]
    finally:
        server.shutdown()
        server.server_close()
    headers = {"authorization": f"Bearer {operator['token']}"}
    assert system.http.get("/tasks", headers=headers).json()["tasks"] == []
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
