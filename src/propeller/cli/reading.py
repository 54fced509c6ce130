"""Files that a user names, read up to a bound: a device may have no end."""

import sys
from pathlib import Path
from typing import BinaryIO

from propeller.errors import Invalid
from propeller.runtime.failures import size


def read_bounded(path: Path, bytes_max: int, *, begins_with: bytes = b"") -> bytes:
    """Read a file; only its first bytes, where it does not begin as it has to.

    Raises:
        Invalid: It is larger.
        OSError: It can't be read.

    """
    with path.open("rb") as file:
        data = file.read(len(begins_with))
        if data != begins_with:
            return data
        return data + _rest(file, bytes_max - len(data), str(path))


def read_named(path: Path, bytes_max: int) -> bytes:
    """Read a file as ``read_bounded`` does, or this program's standard input, which is ``-``."""
    if str(path) == "-":
        return _rest(sys.stdin.buffer, bytes_max, "standard input")
    return read_bounded(path, bytes_max)


def _rest(file: BinaryIO, bytes_max: int, name: str) -> bytes:
    data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise Invalid(f"{name}: it is larger than the {size(bytes_max)} that are read")
    return data
