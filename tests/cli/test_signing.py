"""``propeller keys``, ``sign`` and ``verify``, as processes."""

import json
import os
import stat
import subprocess
import sys
from hashlib import sha256

import pytest
import wasmtime

WASM = wasmtime.wat2wasm('(module (func (export "main")))')


@pytest.fixture
def propeller(tmp_path):
    (tmp_path / "it.wasm").write_bytes(WASM)
    (tmp_path / "it.wat").write_text('(module (func (export "main")))')
    (tmp_path / "other.wat").write_text('(module (func (export "other")))')

    def run(*arguments, **variables):
        return subprocess.run(
            [sys.executable, "-m", "propeller", *arguments],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_module_is_signed_and_its_signature_is_checked(propeller, tmp_path):
    made = propeller("keys", "generate", "ann")
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE((tmp_path / "ann.key").stat().st_mode) == 0o600
    signed = propeller("sign", "it.wasm", "--key", "ann.key", "--json")
    assert json.loads(signed.stdout) == {
        "file": "it.wasm",
        "digest": f"sha256:{sha256(WASM).hexdigest()}",
        "signature": "it.wasm.sig",
    }
    checked = propeller("verify", "it.wasm", "--key", "ann.pub")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.strip().endswith("is signed by ann")
    as_text = propeller("verify", "it.wat", "--signature", "it.wasm.sig", "--key", "ann.pub")
    assert as_text.returncode == 0, as_text.stderr

    other = propeller("verify", "other.wat", "--signature", "it.wasm.sig", "--key", "ann.pub")
    assert (other.returncode, other.stdout) == (1, "")
    assert "it is for another module" in other.stderr
    propeller("keys", "generate", "bob")
    strange = propeller("verify", "it.wasm", "--key", "bob.pub")
    assert strange.returncode == 1
    assert "none of these keys has signed it.wasm: bob" in strange.stderr


def test_a_key_with_a_password_signs_with_it_only(propeller):
    secret = {"PROPELLER_KEY_PASSWORD": "secret"}
    propeller("keys", "generate", "ann", **secret)
    refused = propeller("sign", "it.wasm", "--key", "ann.key")
    assert refused.returncode == 1
    assert "ann.key: it needs its password: set PROPELLER_KEY_PASSWORD" in refused.stderr
    assert propeller("sign", "it.wasm", "--key", "ann.key", **secret).returncode == 0


def test_a_key_is_never_written_over(propeller, tmp_path):
    propeller("keys", "generate", "ann")
    before = (tmp_path / "ann.key").read_bytes()
    again = propeller("keys", "generate", "ann")
    assert again.returncode == 1
    assert "ann.key: it exists already" in again.stderr
    assert (tmp_path / "ann.key").read_bytes() == before


def test_openssl_and_propeller_know_each_others_signatures_on_p256(propeller, tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "eve.key")
    openssl("pkey", "-in", "eve.key", "-pubout", "-out", "eve.pub")
    assert propeller("sign", "it.wasm", "--key", "eve.key", "--as-cosign").returncode == 0
    openssl("base64", "-d", "-A", "-in", "it.wasm.sig", "-out", "raw")
    openssl("dgst", "-sha256", "-verify", "eve.pub", "-signature", "raw", "it.wasm")

    openssl("dgst", "-sha256", "-sign", "eve.key", "-out", "raw", "it.wasm")
    openssl("base64", "-A", "-in", "raw", "-out", "of-openssl.sig")
    checked = propeller("verify", "it.wasm", "--signature", "of-openssl.sig", "--key", "eve.pub")
    assert checked.returncode == 0, checked.stderr

    propeller("keys", "generate", "ann")
    refused = propeller("sign", "it.wasm", "--key", "ann.key", "--as-cosign")
    assert refused.returncode == 1
    assert "this form is for keys on P-256" in refused.stderr
