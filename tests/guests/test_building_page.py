"""``docs/building.md``: its files and commands, as a reader copies them, and what the page says they print."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.local.harness import System

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "building.md").read_text()
TOOLS = ROOT / ".guests" / "tools"
SECTIONS = dict(re.findall(r"(?ms)^## (\w+)\n(.*?)(?=^## |\Z)", PAGE))
#: `name`: and its block; the commands and what they print.
FILE = re.compile(r"(?ms)^`([\w./]+)`:\n\n```\w+\n(.*?)^```$")
COMMANDS = re.compile(r"(?ms)^```sh\n(.*?)^```\n\nprints `(.*?)`")
#: The files of all sections: that of JavaScript refers to one of another.
FILES = dict(FILE.findall(PAGE))


#: What the page calls Rust's target, and what it was called before.
RUST_TARGETS = ("wasm32-wasip1", "wasm32-wasi")


def rust_target() -> str:
    """The target of this machine's Rust, whose standard library for Wasm is a part of its own."""
    for target in RUST_TARGETS if shutil.which("cargo") and shutil.which("rustc") else ():
        asked = ["rustc", "--print", "target-libdir", "--target", target]
        place = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if place and Path(place).is_dir():
            return target
    pytest.skip("this machine can't build Rust to Wasm: there is no such target")


def adapted(language: str, commands: str) -> str:
    """The commands as this machine takes them; skips where a compiler is missing that script/guests doesn't get."""
    if language == "Rust":
        return commands.replace(RUST_TARGETS[0], rust_target())
    if language == "Go" and not shutil.which("go"):
        pytest.skip("this machine can't build Go: there is no compiler")
    return commands


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    made = System(tmp_path_factory.mktemp("manager") / "data")
    made.up()
    yield made
    made.clean_up()


@pytest.mark.parametrize("language", SECTIONS)
def test_what_the_page_says_of_a_language(language, system, tmp_path):
    blocks = COMMANDS.findall(SECTIONS[language])
    assert blocks
    assert len(blocks) == SECTIONS[language].count("```sh"), "each block says what it prints"
    blocks = [(adapted(language, commands), printed) for commands, printed in blocks]
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    # `npx` looks for its packages above; whoever types this has them beside the source.
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    places = [TOOLS / "python" / "bin", ROOT / ".venv" / "bin", os.environ["PATH"]]
    env = {
        **os.environ,
        "PATH": ":".join(map(str, places)),
        "PROPELLER_MANAGER_URL": str(system.http.base_url),
        "ZIG_GLOBAL_CACHE_DIR": str(ROOT / ".guests" / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(ROOT / ".guests" / "cache"),
    }
    for commands, printed in blocks:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1:] == [printed]


def test_the_compilers_of_the_page_are_those_that_tests_build_with():
    script = (ROOT / "script" / "guests").read_text()
    for named in re.findall(r"`(?:pip|npm) install (.*?)`", PAGE):
        for package in named.split():
            assert re.search(rf"[\" ]{re.escape(package)}[=@]", script), package


def test_the_readme_has_the_same_commands():
    readme = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"(?m)^\| (\w+) \| `(.*?)` \|$", readme))
    assert rows.keys() == SECTIONS.keys()
    for language, command in rows.items():
        assert f"\n{command}\n" in SECTIONS[language]
