"""The README's blocks, run as a reader would type them, against `propeller up` on a port of its own.

A reader may type any block a second time: so each that ends by itself runs twice.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def block_with(text: str) -> str:
    found = [block for block in BLOCKS if text in block]
    assert len(found) == 1, f"the README has {len(found)} blocks with {text}"
    return found[0]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Yield a function that runs a block and returns what it printed."""
    work = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", work / "examples")
    address = f"127.0.0.1:{free_port()}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PROPELLER_MANAGER_URL": f"http://{address}"}
    up = block_with("propeller up").replace("pip install .\n", "").strip()
    port = address.split(":")[1]
    manager = subprocess.Popen(
        [*up.split(), "--host", "127.0.0.1", "--port", port, "--data-dir", str(work / "data")],
        cwd=work,
        env=env,
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://{address}/health", timeout=5).close()
            break
        except (urllib.error.URLError, ConnectionError):
            assert manager.poll() is None, "the manager ended"
            assert time.monotonic() < deadline, "the manager did not come up"

    def run(block: str) -> str:
        text = block.replace("localhost:7070", address)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=work,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
    manager.terminate()
    assert manager.wait(20) == 0


def until(shell, command: str, wanted: str) -> None:
    """A reader looks again until it is there: starting a task does not wait for its children."""
    deadline = time.monotonic() + 30
    while wanted not in (shown := shell(command)):
        assert time.monotonic() < deadline, shown


@pytest.fixture(params=["the first time", "again"])
def _twice(request):
    """Have a test run twice."""


@pytest.mark.usefixtures("_twice")
def test_run_prints_the_result(shell):
    assert shell(block_with("propeller run ")) == "30\n"


@pytest.mark.usefixtures("_twice")
def test_the_workflow_from_a_file(shell):
    (block,) = [
        block for block in BLOCKS if block == "propeller workflows run examples/addition-workflow.yaml\n"
    ]
    assert "300" in shell(block)


def test_the_workflow_of_the_picture(shell):
    assert "[examples/primes-workflow.yaml]" in README
    assert "283146" in shell("propeller workflows run examples/primes-workflow.yaml")


def test_the_fleet_of_three_terminals(tmp_path):
    """Each block in a shell of its own, and in the end the workflow; only the ports are others."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    broker, http = free_port(), free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    env = {**os.environ, "PATH": path, "XDG_DATA_HOME": str(tmp_path), "MANAGER_HTTP_PORT": str(http)}
    env["PROPELLER_MANAGER_URL"] = f"http://localhost:{http}"
    terminals = []

    def typed(block: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", block]

    provision = f"{block_with('propeller provision').strip()} --mqtt-address tcp://localhost:{broker}"
    subprocess.run(typed(provision), cwd=tmp_path, env=env, check=True)
    written = (tmp_path / "config.toml").read_text()
    subprocess.run(typed(provision), cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "config.toml").read_text() == written, "no key is lost"
    try:
        # A group for each, so that what a shell has started can be ended with it.
        terminals += [
            subprocess.Popen(typed(block_with(words)), cwd=tmp_path, env=env, start_new_session=True)
            for words in ("mosquitto -c", "propeller manager", "propeller proplet --section")
        ]
        deadline = time.monotonic() + 60
        while True:
            done = subprocess.run(
                typed(block_with("propeller proplets list")),
                check=False,
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
            )
            if done.returncode == 0 and "300" in done.stdout:
                break
            assert time.monotonic() < deadline, done.stdout + done.stderr
    finally:
        for terminal in terminals:
            os.killpg(terminal.pid, signal.SIGTERM)
        for terminal in terminals:
            terminal.wait(20)


@pytest.mark.usefixtures("_twice")
def test_workflow_by_curl(shell):
    block = block_with("curl -X POST localhost:7070/workflows")
    look, answer = re.findall(r"`(curl (?:.*)/results)` gives `(.*?)`", README)[0]
    # The reader's shell still knows the names of the run.
    printed = shell(f"{block}\necho; echo $run")
    assert '"error"' not in printed
    run = printed.splitlines()[-1]
    until(shell, look.replace("$run", run), answer)


@pytest.mark.usefixtures("_twice")
def test_a_task_step_by_step(shell):
    block = block_with("propeller tasks create")
    steps, _, look = block.partition("propeller tasks list")
    assert not look.strip()
    shell(steps)
    until(shell, "propeller tasks results @latest", "30")
    assert "Completed" in shell("propeller tasks list")


def test_every_block_is_known():
    known = [
        "propeller provision",
        "mosquitto -c",
        "propeller manager",
        "propeller proplet --section",
        "propeller proplets list",
        "script/demo",
        "propeller up",
        "propeller run ",
        "workflows run ",
        "tasks create",
        "curl -X POST",
    ]
    for block in BLOCKS:
        assert sum(text in block for text in known) >= 1, f"no test runs this block:\n{block}"


PICTURES = re.findall(r"!\[[^]]+\]\((docs/[^)]+\.svg)\)", README)


def test_each_picture_that_is_drawn_is_shown():
    assert PICTURES == ["docs/picture.svg", "docs/top.svg"]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_can_be_drawn(name):
    drawn = (ROOT / name).read_text()
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "sum" in "".join(root.itertext())
    # GitHub and its like load nothing for a picture.
    assert set(re.findall(r"https?://[^\"' )]+", drawn)) <= {"http://www.w3.org/2000/svg"}
