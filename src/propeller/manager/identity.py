"""The identity of a manager, in a file beside its database, so that restoring a backup keeps it."""

import os
import time
import uuid
from pathlib import Path

import msgspec

from propeller.errors import StoreUnusable

_FILE = "manager.json"


class Identity(msgspec.Struct, frozen=True):
    """Stays the same for as long as the data directory exists."""

    id: str
    #: Larger with each start: at least the time, ns since the Unix epoch.
    epoch: int


def begin(data_dir: Path) -> Identity:
    """Read the identity, or make a new one, and begin another epoch.

    Raises:
        StoreUnusable: The file can't be read or written.

    """
    file = data_dir / _FILE
    try:
        before = msgspec.json.decode(file.read_bytes(), type=Identity)
    except FileNotFoundError:
        before = Identity(uuid.uuid4().hex[:16], 0)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreUnusable(
            f"{file}: can't be read: {error}; delete it, and the manager takes a new identity"
        ) from error
    identity = Identity(before.id, max(before.epoch + 1, time.time_ns()))
    _keep(file, identity)
    return identity


def _keep(file: Path, identity: Identity) -> None:
    """Write the file, whole or not at all."""
    draft = file.with_suffix(".new")
    try:
        draft.touch(mode=0o600)
        with draft.open("wb") as stream:
            stream.write(msgspec.json.encode(identity))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise StoreUnusable(f"{file}: can't be written: {error.strerror}") from error
