"""The process that checks one file and ends; ``files`` starts it."""

import msgspec

from propeller.api.file_check import checked
from propeller.runtime.apart import work_apart
from propeller.wire.http.files import NewFile
from propeller.wire.http.schema import encode


def _checked(data: bytes) -> list[bytes]:
    return [encode(checked(msgspec.json.decode(data, type=NewFile)))]


if __name__ == "__main__":
    work_apart(_checked)
