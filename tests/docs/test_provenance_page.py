"""The examples of ``docs/provenance.md``, as a reader would type them."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from tests.builders import ADDITION
from tests.e2e.local.harness import System

PAGE = (Path(__file__).parents[2] / "docs" / "provenance.md").read_text()
SIGN, UP, TOLD = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(POLICY,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def types(tmp_path, monkeypatch):
    (tmp_path / "add.wasm").write_bytes(ADDITION)
    monkeypatch.chdir(tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(text, **variables):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env={**os.environ, "PATH": path, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_module_is_signed_and_runs_under_the_policy(types, tmp_path):
    signed = types(SIGN)
    assert signed.returncode == 0, signed.stderr
    assert signed.stdout.strip().endswith("is signed by ann")
    (tmp_path / "keys").mkdir()
    (tmp_path / "ann.pub").rename(tmp_path / "keys" / "ann.pub")
    (tmp_path / "policy.toml").write_text(POLICY)
    assert UP.strip() == "propeller up --config policy.toml"
    system = System(tmp_path / "data", "--config", "policy.toml")
    try:
        system.up()
        where = {"PROPELLER_MANAGER_URL": system.url}
        refused = types("propeller run add.wasm 1 2", **where)
        assert refused.returncode == 1
        assert "the module policy of this manager is signed" in refused.stderr
        done = types("propeller run add.wasm --signature add.wasm.sig 1 2", **where)
        assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
        (task,) = system.call("GET", "/tasks")["tasks"]
        told = json.loads(types(TOLD.replace("ID", task["id"]), **where).stdout)
        assert told["subject"][0]["digest"]["sha256"] == sha256(b"3\n").hexdigest()
        (module,) = told["predicate"]["buildDefinition"]["resolvedDependencies"]
        assert module["annotations"] == {"signer": "ann"}
        by_number = types(f"propeller tasks provenance {task['id']} --attempt 1", **where)
        assert json.loads(by_number.stdout) == told
        assert types(f"propeller tasks provenance {task['id']} --attempt 2", **where).returncode == 1
    finally:
        system.clean_up()
