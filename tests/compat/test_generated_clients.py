"""Clients that others' programs generate from the OpenAPI document play the tutorial; ``script/clients`` gets those."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.local.harness import ADDITION, System

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "clients"
TOOLS = ROOT / ".guests" / "clients"
NODE = ROOT / ".guests" / "tools" / "python" / "bin" / "node"
MODULES = TOOLS / "node_modules"
PYTHON = TOOLS / "python" / "bin"
SUMS = {"task": (30, 20, 300), "job-task": (150, 100, 500), "seq-task": (3, 7, 11)}
RESULTS = {
    f"{name}-00{number}": f"{result}\n"
    for name, results in SUMS.items()
    for number, result in enumerate(results, start=1)
}


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "data")
    made.up()
    yield made
    made.clean_up()


def typed(work, *command):
    """Run a command in a directory, and return what it printed."""
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=work,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def generate_python(work):
    """Make the client; a part of the document that the generator leaves out is a failure."""
    config = ("--config", "openapi-python-client.yaml", "--meta", "none", "--output-path", "client")
    program = PYTHON / "openapi-python-client"
    typed(work, program, "generate", "--path", "openapi.json", *config, "--fail-on-warning")
    # Names that it makes up where the document has none.
    assert not [*(work / "client" / "models").glob("*_type_[0-9].py")]


def generate_typescript(work):
    """Make the client, and check the types of what uses it."""
    (work / "package.json").write_text('{"type": "module"}')
    (work / "node_modules").symlink_to(MODULES)
    typed(work, NODE, MODULES / ".bin" / "openapi-ts", "-f", "openapi-ts.config.mjs")
    typed(work, NODE, MODULES / ".bin" / "tsc", "-p", ".")


@pytest.mark.parametrize(
    ("generate", "play"),
    [(generate_python, (PYTHON / "python", "play.py")), (generate_typescript, (NODE, "play.ts"))],
    ids=["openapi-python-client", "openapi-ts"],
)
def test_a_generated_client_plays_the_tutorial(generate, play, system, tmp_path):
    assert TOOLS.exists(), "there are no generators of clients; run script/clients"
    work = shutil.copytree(SOURCES, tmp_path / "work")
    (work / "openapi.json").write_bytes(system.http.get("/openapi.json").content)
    generate(work)
    printed = typed(work, *play, str(system.http.base_url).rstrip("/"), ADDITION)
    assert json.loads(printed) == RESULTS
    assert system.stop() == 0
