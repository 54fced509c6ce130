"""The keys of a proplet that joined with a token, in its data directory: readable by their owner alone."""

from pathlib import Path

import msgspec

from propeller import private
from propeller.errors import StoreUnusable

_FILE = "keys.json"


class OwnKeys(msgspec.Struct, frozen=True, kw_only=True):
    #: The proplet's private key, as text.
    signing_key: str
    #: The public key of the manager that it joined.
    manager_key: str


def read_keys(directory: Path) -> OwnKeys | None:
    """Read the keys; None if there are none. Raise ``StoreUnusable`` if they can't be read."""
    file = directory / _FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=OwnKeys)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreUnusable(
            f"{file}: can't be read: {error}; put it back: an id keeps its first key"
        ) from error


def keep_keys(directory: Path, keys: OwnKeys) -> None:
    """Write the keys, whole or not at all; raise ``StoreUnusable``."""
    file = directory / _FILE
    draft = file.with_suffix(".new")
    try:
        private.make_directory(directory)
        private.make_file(draft)
        draft.write_bytes(msgspec.json.encode(keys))
        draft.replace(file)
    except OSError as error:
        raise StoreUnusable(f"{file}: can't be written: {error.strerror}") from error
