"""A manager that lets run only what is signed: uploads, images of a real registry, and what was there before."""

import base64
import os
from hashlib import sha256

from propeller.signing.keys import generate, private_key
from propeller.signing.signatures import sign
from tests.builders import ADDITION
from tests.registry.helpers import WASM
from tests.registry.signing_helpers import push_signatures
from tests.waiting import until


def run(system, task_id):
    system.call("POST", f"/tasks/{task_id}/start")
    return until(lambda: (found := system.call("GET", f"/tasks/{task_id}"))["state"] in (3, 4) and found)


def test_only_what_is_signed_runs_from_the_start_of_the_policy_on(system, tmp_path, registry):
    private, public = generate()
    ann = private_key(private)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ann.pub").write_bytes(public)
    plain = {**os.environ, "PROPLET_REGISTRY_PLAIN_HTTP": registry.host}
    signed_only = plain | {"MANAGER_MODULE_POLICY": "signed", "MANAGER_MODULE_KEYS": str(tmp_path / "keys")}
    for name in ("good", "bad"):
        pushed = registry.push(f"acme/{name}", "v1", (ADDITION, WASM))
        if name == "good":
            push_signatures(registry, "acme/good", pushed["digest"], ann)

    task = {"name": "main", "inputs": [40, 2]}
    module = {"file": base64.b64encode(ADDITION).decode()}
    system.up(env=plain)
    before = system.call("POST", "/tasks", task | module)["id"]
    assert run(system, before)["results"] == "42\n"
    system.stop()

    system.up(env=signed_only)
    assert "module policy" in system.call("POST", f"/tasks/{before}/start", status=409)["error"]
    assert "module policy" in system.call("POST", "/tasks", task | module, 400)["error"]
    images = {name: f"{registry.host}/acme/{name}:v1" for name in ("good", "bad")}
    ids = {name: system.call("POST", "/tasks", task | {"image_url": images[name]})["id"] for name in images}
    assert run(system, ids["good"])["results"] == "42\n"
    told = system.call("GET", f"/tasks/{ids['good']}/provenance")["predicate"]
    (dependency,) = told["buildDefinition"]["resolvedDependencies"]
    digest = sha256(ADDITION).hexdigest()
    assert dependency == {
        "name": "module",
        "uri": images["good"],
        "digest": {"sha256": digest},
        "annotations": {"signer": "ann"},
    }
    assert told["runDetails"]["builder"]["version"]["runtime"].startswith("wasmtime ")
    failed = run(system, ids["bad"])
    assert failed["error_kind"] == "refused"
    assert f"none of the keys that count (ann) has signed image {images['bad']}" in failed["error"]

    uploaded = system.call("POST", "/tasks", task | module | {"signature": sign(ann, digest)})["id"]
    assert run(system, uploaded)["results"] == "42\n"
