"""The signatures that a real registry has of images."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from propeller.errors import ModuleUnavailable
from propeller.signing.images import SignedImage
from propeller.signing.keys import private_key
from propeller.signing.signers import Signers
from tests.registry.helpers import WASM, Server, digest_of, module, play, settings
from tests.registry.signing_helpers import push_signatures


def a_key():
    key = ec.generate_private_key(ec.SECP256R1())
    return private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


ANN, BOB = a_key(), a_key()
SIGNERS = Signers([ANN.public("ann")])


def opened(told, reference):
    async def part(fetcher):
        blob, image = await fetcher.open_signed(reference)
        with blob:
            return blob.read(), image

    return play(part, told)


def test_an_image_comes_with_its_signatures(registry, tmp_path):
    data = module("signed")
    pushed = registry.push("acme/signed", "v1", (data, WASM))
    name = f"{registry.host}/acme/signed"
    assert opened(settings(tmp_path), f"{name}:v1") == (data, SignedImage(pushed["digest"], ()))
    push_signatures(registry, "acme/signed", pushed["digest"], BOB, ANN)
    for reference in (f"{name}:v1", f"{name}@{pushed['digest']}"):
        found, image = opened(settings(tmp_path), reference)
        assert (found, image.digest, len(image.signatures)) == (data, pushed["digest"], 2)
        assert SIGNERS.signer_of_image(image) == "ann"
        assert Signers([a_key().public("eve")]).signer_of_image(image) == ""


def test_an_index_is_signed_as_a_whole(registry, tmp_path):
    data = module("in an index")
    pushed = registry.push("acme/many", None, (data, WASM))
    index = registry.push_index(
        "acme/many", "v1", pushed | {"platform": {"os": "wasip1", "architecture": "wasm"}}
    )
    push_signatures(registry, "acme/many", index["digest"], ANN)
    found, image = opened(settings(tmp_path), f"{registry.host}/acme/many:v1")
    assert (found, SIGNERS.signer_of_image(image)) == (data, "ann")


def test_a_signature_of_another_image_under_the_name_of_this_one_is_nobodys(registry, tmp_path):
    good = registry.push("acme/mixed", "good", (module("good"), WASM))
    evil = registry.push("acme/mixed", "evil", (module("evil"), WASM))
    push_signatures(registry, "acme/mixed", evil["digest"], ANN, of=good["digest"])
    _, image = opened(settings(tmp_path), f"{registry.host}/acme/mixed:evil")
    assert len(image.signatures) == 1
    assert SIGNERS.signer_of_image(image) == ""


def test_a_payload_that_was_changed_in_the_registry_is_refused(registry, tmp_path):
    pushed = registry.push("acme/broken", "v1", (module("broken"), WASM))
    push_signatures(registry, "acme/broken", pushed["digest"], ANN)
    place = pushed["digest"].replace(":", "-") + ".sig"
    listed = registry.http.get(
        f"/v2/acme/broken/manifests/{place}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    ).json()
    digest = listed["layers"][0]["digest"].removeprefix("sha256:")
    stored = registry.blobs / digest[:2] / digest / "data"
    stored.write_bytes(stored.read_bytes().replace(b"cosign", b"cosine"))
    with pytest.raises(ModuleUnavailable, match="damaged"):
        opened(settings(tmp_path), f"{registry.host}/acme/broken:v1")


def test_a_tag_that_moves_between_two_requests_gives_module_and_signatures_of_one_image(tmp_path):
    """The registry answers each request for the tag with the next image."""
    images, blobs = [], {}
    for word in ("one", "two"):
        data = module(word)
        layer = {"mediaType": WASM, "digest": digest_of(data), "size": len(data)}
        body = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
        images.append(body)
        blobs |= {digest_of(data): data, digest_of(body): body}
    asked = []

    def answer(request):
        name = request.path.rpartition("/")[2]
        if name == "v1":
            asked.append(name)
            return 200, {}, images[len(asked) - 1]
        return (200, {}, blobs[name]) if name in blobs else (404, {}, b"")

    with Server(answer) as server:
        found, image = opened(settings(tmp_path), f"{server.host}/acme/moving:v1")
    assert (found, image) == (module("one"), SignedImage(digest_of(images[0]), ()))


def test_a_registry_that_does_not_say_whether_there_are_signatures_is_not_taken_for_one_without(tmp_path):
    data = module("odd")
    layer = {"mediaType": WASM, "digest": digest_of(data), "size": len(data)}
    body = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()

    def answer(request):
        if request.path.endswith(".sig"):
            return 403, {}, b""
        return 200, {}, data if "/blobs/" in request.path else body

    with Server(answer) as server, pytest.raises(ModuleUnavailable, match="does not let this proxy read"):
        opened(settings(tmp_path), f"{server.host}/acme/odd:v1")
