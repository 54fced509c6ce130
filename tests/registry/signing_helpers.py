"""Signatures of images, pushed into a registry as cosign puts them there."""

import base64
import json

from tests.registry.helpers import IMAGE, described

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"


def payload_of(digest, reference):
    image = {"docker-manifest-digest": digest}
    critical = {
        "identity": {"docker-reference": reference},
        "image": image,
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def push_signatures(registry, repository, digest, *keys, of=None):
    """Sign an image with each of these keys; ``of`` is the digest that the payload names, if another."""
    payload = payload_of(of or digest, f"{registry.host}/{repository}")
    for data in (b"{}", payload):
        registry.push_blob(repository, data)
    layers = [
        described(payload, PAYLOAD, annotations={SIGNATURE: base64.b64encode(key.sign(payload)).decode()})
        for key in keys
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": described(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": layers,
    }
    registry.push_manifest(repository, digest.replace(":", "-") + ".sig", manifest)
