"""The module policy and signatures over HTTP, with real keys."""

import base64
from hashlib import sha256

from propeller.core.policy import Policy
from propeller.core.trust import ModuleRule, Trust
from propeller.signing.keys import generate, private_key, public_key
from propeller.signing.signatures import sign
from propeller.signing.signers import Signers
from tests.api.helpers import ADDITION, ADDITION_TEXT, play

PRIVATE, PUBLIC = generate()
DIGEST = sha256(ADDITION).hexdigest()
SIGNATURE = sign(private_key(PRIVATE), DIGEST)
STRANGE = sign(private_key(generate()[0]), DIGEST)
#: Another module, with the same function.
OTHER = ADDITION + b"\0\x02\x01x"


def under(rule):
    return Policy(trust=Trust(rule=rule, keys=Signers([public_key(PUBLIC, "ann")])))


def upload(site, signature, *, module=ADDITION):
    parts = {"file": ("a.wasm", module, "application/wasm")}
    if signature is not None:
        parts["signature"] = (None, signature)
    return site.http.put("/tasks/a/upload", files=parts)


def test_a_module_comes_with_its_signature_in_json_or_in_a_form(tmp_path):
    async def part(site):
        task = {"id": "a", "name": "main"}
        said = await site.refused("POST", "/tasks", 400, json=task | {"file": ADDITION_TEXT})
        assert said.startswith("signature: the module policy of this manager is signed")
        assert "(ann)" in said
        said = await site.refused(
            "POST", "/tasks", 400, json=task | {"file": ADDITION_TEXT, "signature": STRANGE}
        )
        assert said.startswith("signature: none of the keys that this manager knows (ann)")
        made = await site.post("/tasks", task | {"file": ADDITION_TEXT, "signature": SIGNATURE})
        assert made["signature"] == SIGNATURE
        await site.delete("/tasks/a")

        await site.post("/tasks", task)
        for signature in (None, STRANGE, ""):
            refused = await upload(site, signature)
            assert refused.status_code == 400, refused.text
            assert refused.json()["error"].startswith("signature: ")
        assert (await upload(site, SIGNATURE)).json()["signature"] == SIGNATURE
        other = await upload(site, None, module=OTHER)
        assert other.status_code == 400, other.text
        site.bring_proplet()
        await site.turned()
        await site.post("/tasks/a/start", status=200)

    play(part, tmp_path, policy=under(ModuleRule.SIGNED))


def test_an_answer_that_is_sent_back_keeps_its_signature_and_another_module_does_not(tmp_path):
    async def part(site):
        made = await site.post(
            "/tasks", {"id": "a", "name": "main", "file": ADDITION_TEXT, "signature": SIGNATURE}
        )
        again = await site.put("/tasks/a", made | {"env": {"X": "1"}})
        assert again["signature"] == SIGNATURE
        changed = await site.put("/tasks/a", {"file": base64.b64encode(OTHER).decode()})
        assert "signature" not in changed

    play(part, tmp_path, policy=under(ModuleRule.ANY))


def test_a_signature_is_refused_where_nothing_can_come_of_it(tmp_path):
    async def part(site):
        task = {"name": "main", "file": ADDITION_TEXT, "signature": SIGNATURE}
        said = await site.refused("POST", "/tasks", 400, json=task)
        assert said.startswith("signature: this manager knows no keys to check it with")
        said = await site.refused("POST", "/tasks", 400, json=task | {"signature": "x" * 5000})
        assert "signature: it has 5000 characters" in said

    play(part, tmp_path)


def test_each_road_to_a_module_is_held_to_the_policy(tmp_path):
    async def part(site):
        task = {"id": "a", "name": "main", "image_url": "registry.example/it:1"}
        where = "image_url: the module policy of this manager is pinned"
        assert (await site.refused("POST", "/tasks", 400, json=task)).startswith(where)
        for path, at in (("/workflows", "tasks[0]."), ("/jobs", "tasks[0].")):
            said = await site.refused("POST", path, 400, json={"name": "w", "tasks": [task]})
            assert said.startswith(at + where), said
        inside = {"name": "outer", "workflow": {"tasks": [task]}}
        assert where in await site.refused("POST", "/tasks", 400, json=inside)
        await site.post("/tasks", {"id": "a", "name": "main", "file": ADDITION_TEXT})
        await site.post("/tasks", {"id": "b", "name": "main"})
        said = await site.refused("PUT", "/tasks/b", 400, json={"image_url": task["image_url"]})
        assert said.startswith(where)
        await site.put("/tasks/b", {"image_url": f"registry.example/it@sha256:{'0' * 64}"})

    play(part, tmp_path, policy=under(ModuleRule.PINNED))
