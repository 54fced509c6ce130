"""The commands of ``examples/runtime``, typed as they stand there, and what they print."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.parts.ports import free_port

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "examples" / "runtime" / "README.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
#: What stands on the page for the directory that tasks are given.
NAMED = "/tmp/propeller-example"
(UP,) = re.findall(rf"```sh\nmkdir -p {NAMED}\npropeller (up .*?)\n```", PAGE)


@pytest.fixture(scope="module")
def allowed(tmp_path_factory):
    return str(tmp_path_factory.mktemp("allowed"))


@pytest.fixture(scope="module")
def manager(tmp_path_factory, allowed):
    """A manager as the page has it started; yields its port."""
    port = free_port()
    directory = tmp_path_factory.mktemp("manager")
    program = ROOT / ".venv" / "bin" / "propeller"
    process = subprocess.Popen(
        ["bash", "-c", f"exec {program} {UP.replace(NAMED, allowed)} --port {port} --data-dir {directory}"],
        cwd=directory,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "manager at" in process.stdout.readline()
    yield port
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_page_shows_is_what_is_printed(block, manager, allowed, tmp_path):
    lines = block.splitlines()
    web = str(free_port())
    script = "\n".join(line[2:] for line in lines if line.startswith("$ "))
    script = script.replace("propeller run", f"propeller -m http://localhost:{manager} run")
    script = script.replace("localhost:7070", f"localhost:{manager}").replace("8222", web)
    script = script.replace(".guests/", f"{ROOT}/.guests/").replace(NAMED, allowed)
    if "kill" in script:
        script += "\nwait"
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-m", "-e", "-o", "pipefail", "-c", script],
        env={**os.environ, "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    expected = [line for line in lines if not line.startswith("$ ")]
    assert done.stdout.splitlines() == expected, done.stderr


def test_every_guest_of_the_page_is_built_from_source():
    for name in re.findall(r"\.guests/(\w+)\.wasm", PAGE):
        sources = ROOT / "tests" / "guests"
        assert any((sources / f"{name.removesuffix('_component')}.{kind}").exists() for kind in ("c", "js"))
