"""Public keys in files."""

import re
from collections.abc import Iterable
from pathlib import Path

from propeller.errors import Invalid
from propeller.signing.keys import PublicKey, public_key

_KEYS_MAX = 64
_FILE_BYTES_MAX = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")


def read_public_keys(paths: Iterable[Path]) -> list[PublicKey]:
    """Read public keys from files, and from the files ``*.pub`` and ``*.pem`` of directories.

    The name of a key is that of its file, without its ending.

    Raises:
        Invalid: A file can't be read or is no key, two have one name, or there is none at all.

    """
    keys: dict[str, PublicKey] = {}
    for path in paths:
        for file in _files(path):
            name = file.stem
            if not _NAME.fullmatch(name):
                raise Invalid(
                    f"{file}: its name is that of the key, and has letters, digits and . _ @ + - only"
                )
            if name in keys:
                raise Invalid(f"{file}: another key has the name {name} too; rename one of the files")
            try:
                keys[name] = public_key(_read(file), name)
            except Invalid as error:
                raise Invalid(f"{file}: {error}") from error
    if not keys:
        raise Invalid("there is no public key; name files, or directories with files *.pub or *.pem")
    if len(keys) > _KEYS_MAX:
        raise Invalid(f"{len(keys)} keys are too many; give at most {_KEYS_MAX}")
    return list(keys.values())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        return sorted(file for file in path.iterdir() if file.suffix in (".pub", ".pem"))
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
