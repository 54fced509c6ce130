"""What a proplet can find out about encrypted work before there is any: its TEE and its key broker."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from propeller.errors import Invalid
from propeller.proplet.keys import broker_at, refusal_of_encrypted
from propeller.proplet.tee import found_tee

PAGE = Path(__file__).parent.parent.parent / "docs" / "deployment.md"


def plant(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("flags: sev sev_es sgx tdx_guest")
    return root


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("dev/tdx_guest", "tdx"),
        ("dev/tdx-guest", "tdx"),
        ("dev/sev-guest", "sev"),
        ("dev/attestation/attestation_type", "sgx"),
    ],
)
def test_inside_a_tee(tmp_path, path, name):
    assert found_tee(plant(tmp_path, path)) == name


def test_an_ordinary_machine_is_no_tee(tmp_path):
    assert found_tee(tmp_path) == ""
    host = ("dev/sev", "dev/sgx_enclave", "dev/sgx_provision", "dev/sgx/enclave", "dev/isgx", "dev/kvm")
    plant(tmp_path, "proc/cpuinfo", "sys/module/kvm_amd/parameters/sev", *host)
    assert found_tee(tmp_path) == ""


def test_what_can_not_be_opened_does_not_count(tmp_path):
    (tmp_path / "dev" / "tdx_guest").mkdir(parents=True)
    (tmp_path / "dev" / "sev-guest").symlink_to(tmp_path / "nowhere")
    assert found_tee(tmp_path) == ""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the package of the documentation's example."""
    page = PAGE.read_text()
    (code,) = re.findall(r"```python\n(# key_on_a_card\.py\n.*?)```", page, re.DOTALL)
    (project,) = re.findall(r"```toml\n(\[project\.entry-points.*?)```", page, re.DOTALL)
    group, name, target = re.search(r'entry-points\."(.*?)"\]\n(\w+) = "(.*?)"', project).groups()
    (tmp_path / "key_on_a_card.py").write_text(code)
    about = tmp_path / "key_on_a_card-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: key-on-a-card\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\nbroken = no_such_module:f\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("key_on_a_card", None)


def test_the_example_of_the_documentation_gives_keys(installed):
    (installed / "keys" / "default").mkdir(parents=True)
    (installed / "keys" / "default" / "k1").write_bytes(b"secret")
    broker = broker_at(f"card://{installed}/keys")
    assert asyncio.run(broker.key("default/k1", b"evidence")) == b"secret"
    with pytest.raises(PermissionError):
        asyncio.run(broker.key("../METADATA", b"evidence"))


@pytest.mark.usefixtures("installed")
def test_a_key_broker_that_can_not_be_had():
    for uri, why in (
        ("http:/[", "PROPLET_KBS_URI: it names no scheme"),
        ("kbs.example", "PROPLET_KBS_URI: it names no scheme"),
        ("nobodys://kbs.example", "PROPLET_KBS_URI: no package for the key brokers of nobodys://"),
        ("broken://x", "the key broker no_such_module:f can't be used: No module named 'no_such_module'"),
        ("card://", "the key broker key_on_a_card:connect can't be used: name a directory"),
    ):
        with pytest.raises(Invalid, match=re.escape(why)):
            broker_at(uri)


def test_a_refusal_names_what_is_missing(installed):
    for tee, uri, why in (
        ("", "", "is no TDX or SEV-SNP guest and no SGX enclave"),
        ("tdx", "", "knows no key broker; set PROPLET_KBS_URI"),
        ("tdx", "nobodys://x", "install one with an entry point nobodys in the group propeller.key_brokers"),
        ("tdx", f"card://{installed}", "nothing to decrypt the layers of an image with"),
    ):
        refusal = refusal_of_encrypted(tee, uri)
        assert refusal.startswith("TEE runtime not available: ")
        assert why in refusal
