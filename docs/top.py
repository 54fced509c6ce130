"""Draws ``docs/top.svg``, ``propeller top`` before a manager that really runs what is seen."""

import asyncio
import base64
import re
import sys
from pathlib import Path
from typing import Any

from propeller.cli.modules import read_module
from propeller.cli.top.app import Top
from propeller.client.api import Client

sys.path.insert(0, str(Path(__file__).parent))
from picture import ROOT, manager

SIZE = (116, 22)
DEADLINE_S = 60
PARTS = 12
#: Textual names fonts of the network, and itself; the reader's own fonts will do.
FONTS = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)
FONT = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'


def tasks() -> list[dict[str, Any]]:
    """Count primes in parts, one of which gets too little time, and add up."""
    module = base64.b64encode(read_module(ROOT / "examples" / "primes.wat")).decode()
    parts = [
        {
            "id": f"part-{n + 1:02}",
            "name": "count",
            "file": module,
            "inputs": [n * 600_000, (n + 1) * 600_000],
        }
        for n in range(PARTS)
    ]
    parts[3]["timeout"] = "50ms"
    names = [part["id"] for part in parts]
    sums = [{"id": "sum", "name": "sum", "file": module, "depends_on": names[:4], "inputs": [1, 2, 3, 4]}]
    report = {
        "id": "report",
        "name": "sum",
        "file": module,
        "depends_on": [*names[4:]],
        "inputs": [1, 2, 3, 4],
    }
    return [*parts, *sums, report]


async def draw(address: str) -> str:
    """Start a workflow in it by its keys, and return the picture of a moment at which all kinds are seen."""
    with Client(address) as client:
        client.create_workflow(tasks(), name="nightly primes")
        app = Top(client)
        app.address = "localhost:7070"  # as it mostly is, whatever the one of this manager
        async with asyncio.timeout(DEADLINE_S), app.run_test(size=SIZE) as pilot:
            await seen(app, pilot, "alive")
            await pilot.press("2")
            await seen(app, pilot, "nightly")
            await pilot.press("enter")
            await seen(app, pilot, "part-01")
            await pilot.press("s", "y")
            await seen(app, pilot, "✘", "▶", "◌", "✔")
            return plain(app.export_screenshot(title="propeller top"))


async def seen(app: Top, pilot: Any, *words: str) -> None:
    while not all(word in app.export_screenshot().replace("&#160;", " ") for word in words):
        await pilot.pause(0.02)


def plain(svg: str) -> str:
    """Take fonts of the network out of a picture, and the number that is new in each."""
    named = re.sub(r"terminal-\d+", "top", FONTS.sub("", svg))
    return re.sub(r"font-family: [^;]*;", f"font-family: {FONT};", named)


def main() -> None:
    with manager(sys.argv[1]) as address:
        (ROOT / "docs" / "top.svg").write_text(asyncio.run(draw(address)))


if __name__ == "__main__":
    main()
