"""The page is served from the files of the package, and leaves the answers of programs as they were."""

import asyncio
import gzip
import mimetypes
import re
import threading

import pytest

from propeller.api.app import create_app
from propeller.api.authentication import Authentication
from propeller.api.page import POLICY, page_files
from tests.api.helpers import play

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_is_led_to_the_page_and_a_program_is_not(tmp_path):
    async def part(site):
        led = await site.http.get("/", headers=BROWSER)
        assert (led.status_code, led.headers["location"]) == (307, "ui/")
        for accept in ("*/*", "application/json", "text/html;q=0, application/json", "text/html ; Q=0.00"):
            told = await site.http.get("/", headers={"accept": accept})
            assert told.status_code == 200
            assert told.headers["vary"] == led.headers["vary"] == "accept"
            assert "/openapi.json" in told.text

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/ui", "ui/"),
        ("/ui/", "./"),
        ("/ui/workflows", "./"),
        ("/ui/workflows/", "../"),
        ("/ui/workflows/some-id", "../"),
        ("/ui/workflows/some/id", "../../"),
        ("/ui/tasks/a%2Fui%2Fb", "../"),
        ("/%75i/workflows/some-id", "../"),
        ("/u%69", "ui/"),
    ],
)
def test_each_path_says_where_the_page_begins(tmp_path, path, base):
    """So it works behind a prefix that the manager knows nothing of."""

    async def part(site):
        got = await site.http.get(path)
        assert got.status_code == 200
        assert f'<base href="{base}" />' in got.text
        assert got.headers["content-security-policy"] == POLICY
        assert got.headers["cache-control"] == "no-cache"

    play(part, tmp_path)


def test_the_address_of_a_page_may_have_a_query_which_the_page_reads(tmp_path):
    async def part(site):
        for path in ("/ui/tasks/some-id?part=logs", "/ui/?x=1", "/ui?x=1"):
            assert (await site.http.get(path)).status_code == 200, path

    play(part, tmp_path)


def test_the_policy_lets_run_nothing_but_files_of_the_page():
    assert "unsafe" not in POLICY
    assert "script-src 'self'" in POLICY
    index = page_files()["index.html"].content.decode()
    assert not re.search(r"<style|\son\w+=|<script(?![^>]*\ssrc=)", index)
    assert not re.search(r"(?:src|href)=\"(?:\w+:)?//", index), "nothing comes from elsewhere"


def test_files_are_kept_by_browsers_and_others_are_named(tmp_path):
    async def part(site):
        index = (await site.http.get("/ui/")).text
        (script,) = re.findall(r'<script type="module"[^>]* src="\./(assets/[^"]+)"', index)
        got = await site.http.get(f"/ui/{script}", headers={"accept-encoding": "gzip"})
        assert got.headers["content-type"].startswith("text/javascript")
        assert got.headers["content-encoding"] == "gzip"
        assert "immutable" in got.headers["cache-control"]
        assert got.content == page_files()[script].content
        gone = await site.http.get("/ui/assets/older-1234.js")
        assert gone.status_code == 404
        assert "another version" in gone.json()["error"]

    play(part, tmp_path)


def test_files_are_compressed_for_those_who_take_that(tmp_path):
    async def part(site):
        for accepted, is_compressed in (
            ("gzip", True),
            ("br, GZip;q=0.5", True),
            ("gzip;q=0", False),
            ("identity, gzip; q=0.000", False),
            ("notgzip", False),
        ):
            got = await site.http.get("/ui/icon.svg", headers={"accept-encoding": accepted})
            assert ("content-encoding" in got.headers) == is_compressed, accepted
            assert got.content == page_files()["icon.svg"].content

    play(part, tmp_path)


def test_others_are_answered_while_the_files_are_read_for_the_first_time(tmp_path, monkeypatch):
    is_reading, has_answered = threading.Event(), threading.Event()

    def compress(content, mtime):
        is_reading.set()
        assert has_answered.wait(10), "the manager answers nobody meanwhile"
        return content

    async def part(site):
        loading = asyncio.create_task(site.http.get("/ui/"))
        await asyncio.to_thread(is_reading.wait)
        await site.get("/health")
        has_answered.set()
        assert (await loading).status_code == 200

    page_files.cache_clear()
    monkeypatch.setattr(gzip, "compress", compress)
    try:
        play(part, tmp_path)
    finally:
        page_files.cache_clear()


def test_it_loads_fast():
    """What the first page needs has at most 250 kB."""
    index = page_files()["index.html"].content.decode()
    needed = [page_files()[path] for path in re.findall(r'"\./((?:assets/)?[^"]+\.(?:js|css|svg))"', index)]
    assert len(needed) >= 3
    assert sum(len(file.as_gzip or file.content) for file in needed) <= 250_000


def test_types_of_files_are_the_same_on_every_machine(monkeypatch):
    """A browser refuses a script of another type, and machines have their own tables of suffixes."""
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: ("text/plain", None))
    page_files.cache_clear()
    types = {path.rpartition(".")[2]: file.media_type for path, file in page_files().items()}
    page_files.cache_clear()
    assert types == {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def test_it_can_be_left_out(tmp_path):
    async def part(site):
        app = create_app(site.manager, instance_id="i", has_page=False)
        assert not [path for path in app.resources if path.startswith("/ui")]
        site.http._transport.app = Authentication(app)
        told = await site.http.get("/", headers=BROWSER)
        assert told.status_code == 200
        assert "/ui/" not in told.text
        assert (await site.http.get("/ui/")).status_code == 404

    play(part, tmp_path)
