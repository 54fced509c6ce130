"""The page in a real browser: how soon there is a picture, how smooth and fresh it is, and what it costs."""

import contextlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.figures import Figure
from bench.http import Http
from bench.outside import Up
from bench.system import percentiles
from propeller.api.page import page_files

#: Numbers of tasks, and how many there are at least where it only has to run.
SIZES = {300: 100, 3_000: 200, 50_000: 400}
_LIVE = 100
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
_MS_MAX = 60_000
_LOADS = 3
_ROUNDS = 2
#: Changes of state in a second, while the work of the manager is measured, and how many look at them.
_RATE = 20.0
_VIEWERS = 3
_PAUSE_S = 0.3

#: Notes when the picture of another version was drawn, ms since the epoch.
_WATCH = """canvas => {
  window.drawn = [];
  let before = canvas.dataset.version;
  new MutationObserver(() => {
    if (canvas.dataset.version === before) return;
    before = canvas.dataset.version;
    window.drawn.push(performance.timeOrigin + performance.now());
  }).observe(canvas, {attributes: true, attributeFilter: ["data-version"]});
}"""
#: Moves the picture to and fro with each frame, and gives the frames of a second.
_PAN = """async (canvas, [seconds]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const {x, y, width, height} = canvas.getBoundingClientRect();
  const began = await frame();
  let frames = 0, now = began;
  while (now - began < seconds * 1000) {
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaX: 12 * Math.sign(Math.sin(now / 400)), deltaY: 8 * Math.sign(Math.cos(now / 700)),
      clientX: x + width / 2, clientY: y + height / 2, bubbles: true, cancelable: true,
    }));
    now = await frame();
    frames += 1;
  }
  return frames / (now - began) * 1000;
}"""


def ui(directory: Path, scale: float) -> list[Figure]:
    """(u) Open a workflow of many tasks in Chromium, pan it, and see changes come, for three sizes."""
    figures: list[Figure] = []
    work: list[float] = []
    sizes = [max(least, int(size * scale)) for size, least in SIZES.items()]
    with _browser() as browser:
        for size in sizes:
            with _workflow(directory / str(size), size) as seen:
                figures += _looks(browser, seen, size, scale)
                if size in {sizes[0], sizes[-1]}:
                    work.append(_work_for_viewer(browser, seen, scale))
    return [
        *figures,
        *(
            Figure(name=f"manager for a viewer, {size:,}", value=value, unit="% of a core")
            for size, value in zip((sizes[0], sizes[-1]), work, strict=True)
        ),
        Figure(
            name=f"the same, {sizes[-1]:,} less {sizes[0]:,}",
            value=work[1] - work[0],
            unit="% of a core",
            at_most=1,
            target="≤ 1 %",
        ),
    ]


class _Seen(NamedTuple):
    """A workflow to look at."""

    up: Up
    #: Where its page is.
    url: str
    #: Its tasks that can be started, without an end.
    starts: Iterator[str]


@contextmanager
def _workflow(directory: Path, size: int) -> Iterator[_Seen]:
    """Run a manager with a workflow."""
    directory.mkdir()
    live = min(size // 3, _LIVE)
    command = [sys.executable, "-m", "bench.many", str(directory), "w", str(size), str(live)]
    subprocess.run(command, check=True)
    with Up(directory) as up:
        url = "http://{}:{}/ui/workflows/w".format(*up.http.address)
        names = [f"w-live-{number}" for number in range(live)]
        for name in names:
            up.start(name)
        # A first start and a further one may cost different work; from here on, all are further ones.
        _until(lambda: up.http.get("/workflows/w?tasks=false")["counts"]["completed"] >= live)
        yield _Seen(up, url, cycle(names))


def _looks(browser: Any, seen: _Seen, size: int, scale: float) -> list[Figure]:
    first = [_first_picture(browser, seen.url) for _ in range(_LOADS if scale >= 1 else 1)]
    with _canvas(browser, seen.url) as canvas:
        late = _latencies(canvas, seen, max(3, int(20 * scale)))
        frames = canvas.evaluate(_PAN, [max(0.5, 3 * scale)])
    return [
        Figure(name=f"first picture, {size:,}", value=statistics.median(first) / 1e3, unit="s", at_most=1.5),
        Figure(name=f"panning, {size:,}", value=frames, unit="frames/s", at_least=50),
        Figure(name=f"change drawn, p50, {size:,}", value=percentiles(late)["p50"], unit="ms"),
        Figure(name=f"change drawn, slowest, {size:,}", value=max(late), unit="ms", at_most=250),
    ]


def _work_for_viewer(browser: Any, seen: _Seen, scale: float) -> float:
    """Give the processor time of the manager that one more viewer takes, percent of a core."""
    seconds = max(1.0, 5 * scale)
    alone, beside = [], []
    for _ in range(_ROUNDS if scale >= 1 else 1):
        alone.append(_work(seen, seconds))
        with contextlib.ExitStack() as viewers:
            for _ in range(_VIEWERS):
                viewers.enter_context(_canvas(browser, seen.url))
            beside.append(_work(seen, seconds))
    return (statistics.mean(beside) - statistics.mean(alone)) / _VIEWERS


@contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("error: this needs Playwright; run script/setup") from None
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("error: this needs Chromium (Debian: apt-get install chromium)")
    if not page_files():
        raise SystemExit("error: the page is not built; run script/ui")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*_FLAGS])
        yield browser
        browser.close()


@contextmanager
def _canvas(browser: Any, url: str) -> Iterator[Any]:
    """Open a workflow, with nothing in the cache, and give its canvas once there is a picture on it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url)
    canvas = page.wait_for_selector("canvas[data-first-picture]", timeout=_MS_MAX)
    yield canvas
    context.close()


def _first_picture(browser: Any, url: str) -> float:
    """Give the time from the begin of the load to the first picture, ms."""
    with _canvas(browser, url) as canvas:
        return float(canvas.get_attribute("data-first-picture"))


def _work(seen: _Seen, seconds: float) -> float:
    """Give the processor time of the manager while tasks are started at a fixed rate, percent of a core."""
    manager = psutil.Process(seen.up.process.pid)
    http = Http(*seen.up.http.address)
    before, began = sum(manager.cpu_times()[:2]), time.perf_counter()
    for number in range(int(_RATE * seconds)):
        time.sleep(max(0.0, began + number / _RATE - time.perf_counter()))
        http.post(f"/tasks/{next(seen.starts)}/start")
    used = sum(manager.cpu_times()[:2]) - before
    http.close()
    return used / (time.perf_counter() - began) * 100


def _latencies(canvas: Any, seen: _Seen, count: int) -> list[float]:
    """Start tasks one by one; give the time from each one's end to the first picture with that, ms."""
    canvas.evaluate(_WATCH)
    http = Http(*seen.up.http.address)
    stream = seen.up.follow()
    late = []
    for _ in range(count):
        task = next(seen.starts)
        http.post(f"/tasks/{task}/start")
        ended = datetime.fromisoformat(stream.end_of(task)["time"]).timestamp() * 1e3
        # Pictures of the start and of the end come one after the other; the last one has the end in it.
        time.sleep(_PAUSE_S)
        _until(lambda ended=ended: canvas.evaluate("window.drawn.at(-1) ?? 0") >= ended)
        late.append(canvas.evaluate("window.drawn.at(-1)") - ended)
    stream.close()
    http.close()
    return late


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


MEASURES = {"ui": ui}
