"""``propeller sign``, ``verify`` and ``keys``: signatures of modules; no manager is asked."""

import base64
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from propeller.cli.commands import command, group, new_app
from propeller.cli.modules import read_module
from propeller.cli.reading import read_bounded
from propeller.cli.session import Session
from propeller.errors import Invalid

if TYPE_CHECKING:
    from propeller.signing.keys import PrivateKey

_sign, _verify = new_app(), new_app()
_keys = group("Make keys that sign modules.", pages=False)
APPS = {"sign": _sign, "verify": _verify, "keys": _keys}

#: Of the files of keys and signatures.
_BYTES_MAX = 64 * 1024
_PASSWORD = "PROPELLER_KEY_PASSWORD"  # noqa: S105  the name of a variable

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ModuleFile = Annotated[Path, typer.Argument(metavar="FILE", help="The module, a .wasm or .wat file.")]


@command(_sign, is_client=False)
def sign(
    session: Session,
    file: ModuleFile,
    key: Annotated[
        Path, typer.Option(help="File of the private key; its password is in PROPELLER_KEY_PASSWORD.")
    ],
    output: Annotated[Path | None, typer.Option(help="File of the signature [default: FILE.sig].")] = None,
    as_cosign: Annotated[
        bool,
        typer.Option("--as-cosign", help="Sign as cosign sign-blob does, with a key on P-256."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Sign a module: write a signature into a file beside it."""
    from propeller.signing import signatures  # noqa: PLC0415  it loads cryptography
    from propeller.signing.keys import ECDSA  # noqa: PLC0415

    data = read_module(file)
    private = _private_key(key)
    digest = sha256(data).hexdigest()
    if as_cosign and private.public().algorithm != ECDSA:
        raise Invalid(f"{key}: this form is for keys on P-256; leave --as-cosign out, or use such a key")
    text = base64.b64encode(private.sign(data)).decode() if as_cosign else signatures.sign(private, digest)
    path = output or file.with_name(f"{file.name}.sig")
    try:
        path.write_text(f"{text}\n")
    except OSError as error:
        raise Invalid(f"{path}: can't be written: {error.strerror}") from error
    found = {"file": str(file), "digest": f"sha256:{digest}", "signature": str(path)}
    session.as_json |= as_json
    session.show(found, lambda made: f"signed {made['digest']}: {path}")


@command(_verify, is_client=False)
def verify(
    session: Session,
    file: ModuleFile,
    key: Annotated[
        list[Path], typer.Option(help="File of a public key, or a directory of some; may be repeated.")
    ],
    signature: Annotated[Path | None, typer.Option(help="File of the signature [default: FILE.sig].")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the signature of a module, and say who made it; fail if it is by none of the keys."""
    from propeller.signing.files import read_public_keys  # noqa: PLC0415  it loads cryptography
    from propeller.signing.signatures import read  # noqa: PLC0415
    from propeller.signing.signers import Signers  # noqa: PLC0415

    signers = Signers(read_public_keys(key))
    digest = sha256(read_module(file)).hexdigest()
    path = signature or file.with_name(f"{file.name}.sig")
    text = _read(path).decode(errors="replace")
    try:
        made = read(text)
    except Invalid as error:
        raise Invalid(f"{path}: {error}") from error
    if made.digest not in ("", digest):
        raise Invalid(f"{path}: it is for another module, sha256:{made.digest}; {file} is sha256:{digest}")
    signer = signers.signer_of(digest, text)
    if not signer:
        raise Invalid(f"{path}: none of these keys has signed {file}: {', '.join(signers.names)}")
    found = {"file": str(file), "digest": f"sha256:{digest}", "signer": signer}
    session.as_json |= as_json
    session.show(found, lambda shown: f"{shown['digest']} is signed by {signer}")


@command(_keys, is_client=False)
def generate(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the key: who signs with it.")],
    as_json: JsonFlag = False,
) -> None:
    """Make an Ed25519 key: NAME.key, which signs, and NAME.pub, which others check signatures with.

    NAME.key is encrypted if PROPELLER_KEY_PASSWORD has a password.
    """
    from propeller.signing.keys import generate as new_key  # noqa: PLC0415  it loads cryptography
    from propeller.signing.keys import public_key  # noqa: PLC0415

    private, public = new_key(_password())
    paths = Path(f"{name}.key"), Path(f"{name}.pub")
    for path, data, mode in zip(paths, (private, public), (0o600, 0o644), strict=True):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
        except FileExistsError as error:
            raise Invalid(f"{path}: it exists already; choose another name, or move it away") from error
        except OSError as error:
            raise Invalid(f"{path}: can't be written: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    found = {
        "private_key": str(paths[0]),
        "public_key": str(paths[1]),
        "fingerprint": public_key(public, name).fingerprint,
    }
    session.as_json |= as_json
    session.show(
        found, lambda made: f"keep {made['private_key']} secret; give {made['public_key']} to managers"
    )


def _private_key(path: Path) -> "PrivateKey":
    from propeller.signing.keys import private_key  # noqa: PLC0415  it loads cryptography

    try:
        return private_key(_read(path), _password())
    except Invalid as error:
        hint = f": set {_PASSWORD}" if "needs its password" in str(error) else ""
        raise Invalid(f"{path}: {error}{hint}") from error


def _password() -> bytes:
    return os.environ.get(_PASSWORD, "").encode()


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _BYTES_MAX)
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
