"""Signatures of modules and images: who made one, and what counts as none."""

import base64
import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from propeller.errors import Invalid
from propeller.signing.files import read_public_keys
from propeller.signing.images import ImageSignature, SignedImage
from propeller.signing.keys import generate, private_key, public_key
from propeller.signing.signatures import read, sign
from propeller.signing.signers import Signers

DIGEST = sha256(b"a module").hexdigest()
OTHER = sha256(b"another").hexdigest()


def ed25519():
    private, public = generate()
    return private_key(private), public_key(public, "ann")


def on_p256(curve=None):
    key = ec.generate_private_key(curve or ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private_key(pem), public_key(public, "bob")


@pytest.fixture(params=[ed25519, on_p256])
def key(request):
    return request.param()


def test_who_has_signed_a_module_is_known_by_its_digest(key):
    private, public = key
    _, stranger = ed25519()
    text = sign(private, DIGEST)
    assert Signers([public]).signer_of(DIGEST, text) == public.name
    assert Signers([public]).signer_of(OTHER, text) == ""
    assert Signers([stranger]).signer_of(DIGEST, text) == ""
    assert Signers.of_texts({"still": public.text}).signer_of(DIGEST, text) == "still"


def test_a_signature_that_was_changed_is_nobodys(key):
    private, public = key
    written = json.loads(sign(private, DIGEST))
    made = bytearray(base64.b64decode(written["signature"]))
    made[-1] ^= 1
    for change in (
        {"digest": f"sha256:{OTHER}"},
        {"signature": base64.b64encode(made).decode()},
        {"signature": ""},
        {"propeller_module_signature": 2},
        {"more": 1},
    ):
        text = json.dumps(written | change)
        assert Signers([public]).signer_of(DIGEST, text) == "", change
        assert Signers([public]).signer_of(OTHER, text) == "", change


def test_what_cosign_sign_blob_writes_counts_for_a_key_on_p256():
    key = ec.generate_private_key(ec.SECP256R1())
    made = key.sign(b"a module", ec.ECDSA(hashes.SHA256()))
    public = public_key(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "carol"
    )
    text = base64.b64encode(made).decode() + "\n"
    _, ann = ed25519()
    assert Signers([ann, public]).signer_of(DIGEST, text) == "carol"
    assert Signers([ann, public]).signer_of(OTHER, text) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "no base64!", "{}", "x" * 5000, "=", '{"digest": 1}'])
def test_what_is_no_signature_is_refused_in_words_and_is_nobodys(text):
    _, public = ed25519()
    with pytest.raises(Invalid):
        read(text)
    assert Signers([public]).signer_of(DIGEST, text) == ""


def payload(digest, kind="cosign container image signature"):
    critical = {
        "identity": {"docker-reference": "registry.example/it"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def test_an_image_is_signed_by_who_signed_a_payload_that_names_it(key):
    private, public = key
    digest = f"sha256:{DIGEST}"
    good = ImageSignature(payload(digest), base64.b64encode(private.sign(payload(digest))).decode())
    of_other = payload(f"sha256:{OTHER}")
    signed_other = ImageSignature(of_other, base64.b64encode(private.sign(of_other)).decode())
    of_another_kind = payload(digest, "something else")
    signed_kind = ImageSignature(of_another_kind, base64.b64encode(private.sign(of_another_kind)).decode())
    signers = Signers([public])
    assert signers.signer_of_image(SignedImage(digest, (signed_other, good))) == public.name
    for bad in (
        signed_other,
        signed_kind,
        ImageSignature(b"no JSON", good.signature),
        ImageSignature(good.payload + b" ", good.signature),
        ImageSignature(good.payload, "no base64"),
    ):
        assert signers.signer_of_image(SignedImage(digest, (bad,))) == ""
    assert signers.signer_of_image(SignedImage(digest, ())) == ""


def test_keys_come_from_files_and_directories_and_have_their_names(tmp_path):
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.pub").write_bytes(generate()[1])
    (tmp_path / "ann.key").write_bytes(generate()[0])
    (tmp_path / "notes.txt").write_text("no key")
    assert [key.name for key in read_public_keys([tmp_path])] == ["ann", "bob"]
    assert [key.name for key in read_public_keys([tmp_path / "bob.pub"])] == ["bob"]


def test_keys_that_can_not_be_used_are_refused_in_words(tmp_path):
    (tmp_path / "ann.pub").write_bytes(generate()[1])
    again = tmp_path / "more"
    again.mkdir()
    (again / "ann.pub").write_bytes(generate()[1])
    (tmp_path / "rsa.pem").write_bytes(
        rsa.generate_private_key(65537, 2048)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "text.pem").write_text("hello")
    for paths, said in (
        ([tmp_path / "ann.pub", again], "another key has the name ann too"),
        ([tmp_path / "rsa.pem"], "its algorithm is not known here"),
        ([tmp_path / "text.pem"], "no public key in PEM"),
        ([tmp_path / "missing.pub"], "can't be read"),
        ([], "there is no public key"),
    ):
        with pytest.raises(Invalid, match=said):
            read_public_keys(paths)
    with pytest.raises(Invalid, match="its algorithm"):
        on_p256(ec.SECP384R1())


def test_a_private_key_is_opened_with_its_password_only():
    private, _ = generate(b"secret")
    assert private_key(private, b"secret")
    for password, said in ((b"", "it needs its password"), (b"wrong", "the password is wrong")):
        with pytest.raises(Invalid, match=said):
            private_key(private, password)
    with pytest.raises(Invalid, match="give none"):
        private_key(generate()[0], b"secret")
    with pytest.raises(Invalid, match="cosign's own way"):
        private_key(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
