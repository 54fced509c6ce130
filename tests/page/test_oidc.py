"""Somebody signs in at a real issuer, by its own form, in a real browser, and is known to a real manager."""

import os

import pytest
from playwright.sync_api import expect

from tests.e2e.local.harness import System
from tests.parts.issuer import CLIENT, RealIssuer

#: Asks in the name of the page, as its own scripts do.
ASK = "async path => { const got = await fetch(path); return [got.status, await got.json()] }"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    # A native client may come back to any port of this address (RFC 8252, 7.3).
    redirects = ("http://127.0.0.1/session/oidc/callback",)
    with RealIssuer(tmp_path_factory.mktemp("issuer"), redirects=redirects) as made:
        yield made


@pytest.fixture(scope="module")
def closed(tmp_path_factory, issuer):
    system = System(tmp_path_factory.mktemp("page") / "data", "--proplets", "0")
    system.up(
        env={
            **os.environ,
            "MANAGER_AUTH": "oidc",
            "MANAGER_OIDC_ISSUER": issuer.address,
            "MANAGER_OIDC_CLIENT_ID": CLIENT,
        }
    )
    yield system
    system.clean_up()


@pytest.fixture
def tab(browser):
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def fill_in(tab, person):
    tab.get_by_placeholder("Enter any login").fill(person)
    tab.get_by_placeholder("and password").fill("any")
    tab.get_by_role("button", name="Sign-in").click()
    tab.get_by_role("button", name="Continue").click()


def cookies_of_ours(tab):
    """By name; cookies of the issuer are beside them, since a browser tells no ports apart there."""
    found = {cookie["name"]: cookie for cookie in tab.context.cookies()}
    return {name: cookie for name, cookie in found.items() if "propeller" in name}


def test_somebody_signs_in_by_the_issuers_form_and_out_again(tab, closed, issuer):
    tab.goto(f"{closed.url}/session/oidc/start?page=/ui/tasks")
    assert tab.url.startswith(issuer.address)
    fill_in(tab, "oskar")
    expect(tab).to_have_url(f"{closed.url}/ui/tasks")
    status, who = tab.evaluate(ASK, "/session")
    assert (status, who["name"], who["role"], who["how"]) == (200, "oidc:oskar", "operator", "session")
    assert tab.evaluate("document.cookie") == "", "no script reads who one is"
    kept = cookies_of_ours(tab)
    assert set(kept) == {"propeller"}, "nothing of the sign-in is left"
    assert (kept["propeller"]["httpOnly"], kept["propeller"]["sameSite"]) == (True, "Strict")
    assert tab.evaluate("fetch('/session', {method: 'DELETE'}).then(got => got.status)") == 200
    assert tab.evaluate(ASK, "/session")[0] == 401


def test_somebody_without_a_role_is_told_so_and_may_try_again(tab, closed, issuer):
    tab.goto(f"{closed.url}/session/oidc/start")
    fill_in(tab, "nobody")
    expect(tab.get_by_role("heading")).to_have_text("You are not signed in")
    expect(tab.get_by_role("main")).to_contain_text("nobody has no role here")
    assert cookies_of_ours(tab) == {}
    tab.get_by_role("link", name="Try again").click()
    expect(tab.get_by_role("button")).to_be_visible()
    assert tab.url.startswith(issuer.address)


def test_somebody_who_gives_up_at_the_issuer_is_told_so(tab, closed):
    tab.goto(f"{closed.url}/session/oidc/start")
    tab.get_by_role("link", name="Cancel").click()
    expect(tab.get_by_role("main")).to_contain_text("the issuer did not let you in")


def test_a_page_of_another_site_signs_nobody_in_as_somebody_else(tab, closed, issuer):
    """It has the browser go to the end of a sign-in that began elsewhere."""
    elsewhere = closed.http.get("/session/oidc/start").headers["location"]
    tab.goto(elsewhere)
    fill_in(tab, "ann")
    expect(tab.get_by_role("main")).to_contain_text("has not begun to sign in here")
    assert cookies_of_ours(tab) == {}
    assert tab.evaluate(ASK, "/session")[0] == 401
