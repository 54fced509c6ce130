"""The README's blocks, run as a reader would type them, against `propeller up` on a port of its own."""

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


def test_run_prints_the_result(shell):
    assert shell(block_with("propeller run ")) == "30\n"


def test_workflow_file_runs_twice(shell):
    for _ in range(2):
        assert "300" in shell("propeller workflows run examples/addition-workflow.yaml")


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

    provision = block_with("propeller provision").strip()
    subprocess.run(
        typed(f"{provision} --mqtt-address tcp://localhost:{broker}"), cwd=tmp_path, env=env, check=True
    )
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


def test_workflow_by_curl(shell):
    shell(block_with("curl -X POST localhost:7070/workflows"))
    until(shell, "curl -s localhost:7070/tasks/task-003/results", r'{"results":"300\n"}')


def test_workflow_by_command_line(shell):
    shell("base64 -d > addition.wasm <<< AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL")
    block = block_with("propeller workflows create")
    steps, look = block.split("propeller tasks results b\n")
    shell(steps)
    until(shell, "propeller tasks results b", "20")
    assert "propeller tasks list" in look
    assert "Completed" in shell(look)


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
        "workflows create",
        "curl -X POST",
    ]
    for block in BLOCKS:
        assert sum(text in block for text in known) >= 1, f"no test runs this block:\n{block}"
