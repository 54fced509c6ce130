"""Sizes as people write them: ``64MiB``, or a plain number of bytes."""

import re

_BYTES = {"": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"(\d+)\s*([KMG]I?B)?", re.ASCII | re.IGNORECASE)
_DIGITS_MAX = 15


def parse_size(text: str) -> int:
    """Return bytes.

    Raises:
        ValueError: It is none; the text says what one looks like.

    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or len(found[1]) > _DIGITS_MAX:
        raise ValueError("is no size; write a number of bytes, or one as 512MiB or 2GiB")
    return int(found[1]) * _BYTES[(found[2] or "").upper()]
