"""What the documents say about running a fleet is what the programs understand."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from propeller.wire.fleet.messages import TOPICS

ROOT = Path(__file__).parent.parent.parent
FLEET = ROOT / "examples" / "fleet"
PAGES = [ROOT / "README.md", ROOT / "docs" / "deployment.md"]


def commands() -> list[str]:
    """All command lines of ours in the documents, the unit files and the compose file."""
    found: list[str] = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            found += re.findall(r"(?m)^propeller (?:manager|proplet|proxy|provision|up|proplets).*$", block)
    for unit in FLEET.glob("*.service"):
        found += re.findall(r"(?m)^ExecStart=\S*/(propeller .*)$", unit.read_text())
    services = yaml.safe_load((FLEET / "compose.yaml").read_text())["services"]
    found += [f"propeller {one['command']}" for name, one in services.items() if name != "broker"]
    return sorted({command.removesuffix("&").strip() for command in found})


@pytest.mark.parametrize("command", commands())
def test_every_command_line_has_flags_that_exist(command):
    words = shlex.split(command)[1:]
    verbs = [word for word in words if word.isalpha()][:2] if words[0] == "proplets" else words[:1]
    shown = subprocess.run(
        [sys.executable, "-m", "propeller", *verbs, "--help"], capture_output=True, text=True, check=True
    )
    for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert flag in shown.stdout, f"{command}: there is no {flag}"


def test_units_start_again_and_run_as_somebody_of_no_consequence():
    units = sorted(FLEET.glob("*.service"))
    assert len(units) == 2
    for unit in units:
        parsed = configparser.ConfigParser(interpolation=None, strict=False)
        parsed.read_string(unit.read_text())
        assert (parsed["Service"]["Restart"], parsed["Service"]["User"]) == ("always", "propeller")


def test_the_compose_file_has_a_whole_fleet():
    compose = yaml.safe_load((FLEET / "compose.yaml").read_text())
    assert compose["services"].keys() == {"broker", "manager", "proplet1", "proplet2", "proxy"}


def test_the_wire_page_has_every_message_on_its_topic():
    page = (ROOT / "docs" / "wire.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `([\w/]+)` \| `(\w+)` \|", page))
    assert rows == {topic: kind.__name__ for topic, kind in TOPICS.items()}
