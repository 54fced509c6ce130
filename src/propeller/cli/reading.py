"""Files that a user names, read up to a bound: a device may have no end."""

from pathlib import Path

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
        data += file.read(bytes_max + 1 - len(data))
    if len(data) > bytes_max:
        raise Invalid(f"{path}: it is larger than {size(bytes_max)}")
    return data
