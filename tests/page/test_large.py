"""What is far larger than people read: the page shows a part of it, says so, and stays quick."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.page.works import ADDITION, MARKUP, ended, single, task, workflow
from tests.parts.reverse_proxy import Answer

PIECE_CHARS = 1 << 16
PIECES = 1600
LONG_NAME = (MARKUP + "\u202e\x07") * 170
#: In place of it, the proxy writes the long one: the manager takes names of up to 1,024 characters only.
PLACEHOLDER = "a-name-to-be-replaced"


def log_events() -> Iterator[bytes]:
    """Give 100 MiB of logs as the API streams them, and their end."""
    line = "x" * 127 + "\n"
    piece = {
        "attempt": 1,
        "proplet_id": "local-1",
        "stream": "stdout",
        "time": "2026-03-01T15:22:08Z",
        "text": line * (PIECE_CHARS // len(line)),
        "cut": False,
    }
    for number in range(PIECES):
        data = json.dumps({**piece, "id": number + 1, "offset": number * PIECE_CHARS})
        yield f"event: log\nid: {number + 1}\ndata: {data}\n\n".encode()
    yield b"event: end\ndata: {}\n\n"


def test_a_hundred_megabytes_of_logs(up, proxy, visit):
    made = single(up, file=ADDITION, inputs=[1, 2])
    ended(up, f"/tasks/{made}")
    proxy.instead[r"/tasks/[^/]+/logs\?follow"] = Answer(200, "text/event-stream", log_events)
    page = visit(proxy.url, path=f"tasks/{made}?part=logs")
    expect(page.get_by_text("ended", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Earlier output is not shown")).to_be_visible()
    page.get_by_role("tab", name="Summary").click()
    expect(page.get_by_role("tabpanel", name="Summary")).to_be_visible()


@pytest.fixture(scope="module")
def long_name(up):
    """Give a workflow with a task, both of that name."""
    return workflow(
        up, PLACEHOLDER, task("of-a-long-name", 1, 2) | {"name": PLACEHOLDER, "file": ""}, start=False
    )


@pytest.mark.parametrize("place", ["workflows", "tasks", "workflows/{id}?view=table", "tasks/of-a-long-name"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_name_of_ten_kilobytes_with_markup(proxy, visit, long_name, place, width):
    proxy.replaced[PLACEHOLDER.encode()] = json.dumps(LONG_NAME)[1:-1].encode()
    page = visit(proxy.url, path=place.format(id=long_name), viewport={"width": width, "height": 844})
    assert len(LONG_NAME.encode()) > 10_000
    expect(page.get_by_role("main").get_by_text(MARKUP).first).to_be_visible()
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it sticks out"
    main = page.get_by_role("main")
    assert main.evaluate("it => it.scrollWidth <= it.clientWidth"), "it sticks out of the content"
    tall = main.get_by_text(MARKUP).first.bounding_box()
    assert tall is not None
    assert tall["height"] < 400
