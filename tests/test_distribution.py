"""The distribution: its name is nobody else's, and what it installs is called as before."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import propeller

ROOT = Path(__file__).parent.parent
NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]


def test_the_name_is_not_that_of_somebody_else_s_distribution():
    assert NAME != "propeller"
    readme = (ROOT / "README.md").read_text()
    assert f"`{NAME}`" in readme, "the README says by which name to install it"
    assert "`pip install propeller`" in readme, "the README warns of the other one"


def test_the_version_is_the_same_everywhere():
    assert metadata.version(NAME) == propeller.__version__
    said = subprocess.run(
        [Path(sys.executable).with_name("propeller"), "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"propeller {propeller.__version__}\n"


def test_the_commands_and_the_import_are_as_before():
    files = metadata.distribution(NAME)
    assert {each.name for each in files.entry_points if each.group == "console_scripts"} == {
        "propeller",
        "propeller-cli",
    }
    assert Path(propeller.__file__).is_relative_to(ROOT / "src" / "propeller")
