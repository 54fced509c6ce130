"""Draws ``docs/picture.svg``, the terminal at the top of the README, from commands that it really runs."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COLUMNS = 78
#: What a live view sends before it draws itself anew, and at its end: it goes up its lines, and clears each.
REDRAWN = re.compile(r"(?:\r*\x1b\[(?:1A|2K))+")
CURSOR = re.compile(r"\x1b\[\?25[lh]")
COMMANDS = (
    ["propeller", "run", "examples/addition.wat", "10", "20"],
    ["propeller", "workflows", "run", "examples/primes-workflow.yaml"],
)
#: Without fonts from elsewhere: the reader's own will do, because rich gives each text its length.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>Propeller in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def typed(command: list[str], env: dict[str, str]) -> list[str]:
    """Run a command on a terminal; returns what stood on it, from each drawing to the next."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # so a terminal ends on Linux
                break
            if not piece:
                break
            said += piece
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {said.decode()}")
    shown = CURSOR.sub("", said.decode()).replace("\r\n", "\n")
    return [frame.strip("\n") for frame in REDRAWN.split(shown) if frame.strip()]


def of_the_middle(frames: list[str]) -> str:
    """Choose the drawing with most states side by side: there something runs, waits and has ended."""
    words = ("Pending", "Scheduled", "Running", "Completed")
    return max(frames[:-1], key=lambda frame: sum(word in frame for word in words))


def draw(address: str) -> str:
    """Run the commands at a manager; returns the picture."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PROPELLER_MANAGER_URL": address,
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "LINES": "40",
    }
    paper = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command in COMMANDS:
        paper.print(Text(f"$ {' '.join(command)}", style="bold"))
        frames = typed(command, env)
        if len(frames) > 1:
            paper.print(Text.from_ansi(of_the_middle(frames)))
            paper.print(Text("… and when it has ended:", style="dim italic"))
        paper.print(Text.from_ansi(frames[-1]))
        paper.print()
    return paper.export_svg(title="propeller", code_format=SVG, unique_id="propeller")


@contextlib.contextmanager
def manager(data_dir: str) -> Iterator[str]:
    """Start a manager and give its address."""
    up = [
        sys.executable,
        "-m",
        "propeller",
        "up",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--data-dir",
        data_dir,
    ]
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
            if found is None:
                raise SystemExit("error: the manager did not start")
            yield found[0]
        finally:
            process.terminate()


def main() -> None:
    with manager(sys.argv[1]) as address:
        (ROOT / "docs" / "picture.svg").write_text(draw(address))


if __name__ == "__main__":
    main()
