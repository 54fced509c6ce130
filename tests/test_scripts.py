"""What the scripts get from elsewhere, and what they say of what is missing; script/fresh tries them for real."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PYTHON = "Python 3.11 or newer with venv and pip"


class Clone:
    """The scripts in a directory of their own, on a machine with no other programs than these."""

    def __init__(self, directory, programs):
        self.directory = directory / "clone"
        shutil.copytree(ROOT / "script", self.directory / "script")
        shutil.copy(ROOT / "pyproject.toml", self.directory)
        self.bin = directory / "bin"
        self.bin.mkdir()
        for name in programs.split():
            (self.bin / name).symlink_to(shutil.which(name))

    def run(self, *command):
        return subprocess.run(
            command,
            cwd=self.directory,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def files(self):
        return sorted(str(path) for path in self.directory.rglob("*"))


@pytest.fixture
def bare(tmp_path):
    return Clone(tmp_path, "bash cat cksum dirname env id")


def test_the_tutorial_asks_for_python_alone(bare):
    before = bare.files()
    done = bare.run("script/demo")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: not found: {PYTHON}; have this installed first (Debian: apt-get install python3-venv)\n"
    )
    assert bare.files() == before


def test_all_that_tests_miss_is_said_before_anything_is_done(bare):
    before = bare.files()
    done = bare.run("script/test")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: not found: {PYTHON}, ")
    assert "docker-registry, " in done.stderr
    assert done.stderr.count("\n") == 1
    packages = done.stderr.split("apt-get install ")[1]
    assert {"python3-venv", "docker-registry", "curl", "jq"} <= {*packages.rstrip(")\n").split()}
    assert bare.files() == before


def test_the_tools_for_tests_are_not_installed_for_the_tutorial(bare):
    programs = bare.directory / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "propeller").touch()
    (programs / "python").write_text('#!/bin/sh\necho "$@" >> pip.log\n')
    for program in programs.iterdir():
        program.chmod(0o755)

    def installed(*arguments):
        assert bare.run("script/setup", *arguments).returncode == 0
        log = bare.directory / "pip.log"
        said = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        return [line.split(" install ")[1] for line in said.splitlines() if " install " in line]

    assert installed("product") == ["--editable ."]
    assert installed("product") == []
    assert installed() == ["--upgrade pip>=25.1", "--group dev"]
    assert installed() == installed("product") == []
    assert "script/setup product\n" in (ROOT / "script" / "demo").read_text()


def test_generators_of_clients_ask_for_the_node_of_the_guests(bare):
    before = bare.files()
    done = bare.run("script/clients")
    assert done.returncode == 1
    assert done.stderr == "error: there is no npm in .guests; run script/guests first\n"
    assert bare.files() == before


def test_commits_and_ci_are_held_to_the_same_check():
    """What fails in CI without a test being run fails before the commit, for whoever has installed the hook."""
    config = ROOT / ".pre-commit-config.yaml"
    pre_commit = Path(sys.executable).with_name("pre-commit")
    subprocess.run([pre_commit, "validate-config", config], check=True)
    (hook,) = [hook for repo in yaml.safe_load(config.read_text())["repos"] for hook in repo["hooks"]]
    assert hook["entry"] == "script/check"
    assert f"\n{hook['entry']}\n" in (ROOT / "script" / "test").read_text()
    assert (ROOT / hook["entry"]).stat().st_mode & 0o100
