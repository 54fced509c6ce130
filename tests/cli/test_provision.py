"""``propeller provision`` as somebody types it."""

import json
import subprocess
import sys
import tomllib

import pytest


@pytest.fixture
def provision(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "propeller", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


def sections(tmp_path, name="config.toml"):
    return list(tomllib.loads((tmp_path / name).read_text()))


def test_from_nothing_to_a_fleet(provision, tmp_path):
    done = provision("provision", "--proplets", "2")
    assert done.returncode == 0
    assert "proplet2" in done.stdout
    assert f"next: mosquitto -c {tmp_path}/mosquitto.conf" in done.stderr
    assert sections(tmp_path) == ["manager", "proplet1", "proplet2", "proxy"]
    tables = tomllib.loads((tmp_path / "config.toml").read_text()).values()
    for key in (table[name] for table in tables for name in ("api_key", "signing_key")):
        assert key not in done.stdout + done.stderr
    assert provision("manager", "--show-config").returncode == 0
    assert provision("proplet", "--section", "proplet2", "--show-config").returncode == 0
    assert provision("provision", "add-proplets", "3").returncode == 0
    assert sections(tmp_path)[2:] == ["proplet2", "proplet3", "proplet4", "proplet5", "proxy"]
    assert provision("provision", "split").returncode == 0
    done = provision("provision", "add-proplets")
    both = f"{tmp_path}/keys/manager.toml, {tmp_path}/keys/proplet6.toml"
    assert f"copy to their machines anew: {both}\n" in done.stderr
    done = provision("provision", "add-foreign", "gate", "--json")
    assert json.loads(done.stdout)["files"][-1] == f"{tmp_path}/keys/manager.toml"


def test_what_is_there_stays(provision, tmp_path):
    provision("provision")
    before = (tmp_path / "config.toml").read_text()
    done = provision("provision")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: config.toml: is there already; `propeller provision add-proplets` adds"
    )
    assert (tmp_path / "config.toml").read_text() == before
    assert provision("provision", "--force").returncode == 0
    assert (tmp_path / "config.toml").read_text() != before
    done = provision("provision", "add-proxy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is a section [proxy] already" in done.stderr


def test_the_file_may_be_named_before_and_after(provision, tmp_path):
    assert provision("provision", "-f", "fleet.toml").returncode == 0
    assert provision("provision", "-f", "fleet.toml", "add-proplets").returncode == 0
    assert provision("provision", "add-proplets", "-f", "fleet.toml").returncode == 0
    assert sections(tmp_path, "fleet.toml") == ["manager", "proplet", "proplet2", "proplet3", "proxy"]


@pytest.mark.parametrize("arguments", [("--json", "provision"), ("provision", "--json")])
def test_json(provision, arguments):
    done = provision(*arguments)
    answer = json.loads(done.stdout)
    assert [*answer["identities"]] == ["manager", "proplet", "proxy"]
    assert answer["files"][0] == "config.toml"
    assert "api_key" not in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--proplets", "-1"), ("--mqtt-address", "ws://x"), ("add-proplets", "0")]
)
def test_wrong_uses(provision, tmp_path, arguments):
    done = provision("provision", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == []
