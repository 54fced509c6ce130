"""A page of another site, open in the browser of who uses this machine, neither changes nor reads anything."""

import pytest

from tests.e2e.local.harness import ADDITION, System
from tests.parts import browser

TASK = {"id": "a", "name": "main", "inputs": [1, 2], "file": ADDITION, "env": {"KEY": "known-to-few"}}
#: What a page may send anywhere without being asked first, and it has no need to read the answer.
ATTACK = """
  const api = "{api}";
  const send = (path, init) => fetch(api + path, {{mode: "no-cors", ...init}}).then(answer => answer.type);
  const text = {{method: "POST", headers: {{"Content-Type": "text/plain; application/json"}}}};
  await tried("create", () => send("/tasks", {{...text, body: JSON.stringify({{id: "b", name: "main"}})}}));
  await tried("start", () => send("/tasks/a/start", {{method: "POST"}}));
  await tried("form", () => send("/tasks/a/start", {{method: "POST", body: new FormData()}}));
  await tried("beacon", async () => navigator.sendBeacon(api + "/tasks/a/start"));
  await tried("delete", () => send("/tasks/a", {{method: "DELETE", mode: "cors"}}));
  await tried("put", () => send("/tasks/a", {{method: "PUT", mode: "cors", body: "{{}}"}}));
  await tried("read", async () => (await fetch(api + "/tasks")).text());
"""


@pytest.fixture
def up(tmp_path):
    made = System(tmp_path / "data")
    made.up()
    yield made
    made.clean_up()


def test_another_site_changes_and_reads_nothing(up, tmp_path):
    before = up.call("POST", "/tasks", TASK, 201)
    saw = browser.seen_by_page(tmp_path, ATTACK.format(api=str(up.http.base_url).rstrip("/")))
    # It was let through by the browser, and refused by us.
    assert saw["create"] == saw["start"] == saw["form"] == "opaque"
    assert saw["delete"] == saw["put"] == saw["read"] == "TypeError: Failed to fetch"
    assert up.call("GET", "/tasks/a") == before
    assert up.call("GET", "/tasks")["total"] == 1
    # Who is no page may do all that.
    assert up.call("POST", "/tasks/a/start") == {"started": True}


def test_a_name_that_was_led_here_shows_nothing(up, tmp_path):
    """What a browser shows under a name, pages of that name may read."""
    up.call("POST", "/tasks", TASK, 201)
    port = up.http.base_url.port
    assert "known-to-few" in browser.shown_at(tmp_path, f"http://localhost:{port}/tasks")
    shown = browser.shown_at(tmp_path, f"http://{browser.ELSEWHERE}:{port}/tasks")
    assert "known-to-few" not in shown
    assert f"does not answer to the name '{browser.ELSEWHERE}'" in shown
