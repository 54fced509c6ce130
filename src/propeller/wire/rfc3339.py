"""Times as the wire has them: RFC 3339 in UTC, trailing zeros of the fraction left out.

Inside, a time is nanoseconds since the Unix epoch and 0 means "not yet"; the wire writes that as year 1.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

ZERO = "0001-01-01T00:00:00Z"

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def format_time(at: int) -> str:
    """Write a time, ns since the epoch, with as many digits as it needs."""
    if not at:
        return ZERO
    digits = str(at).zfill(10)
    text = f"{_whole_seconds(digits[:-9])}.{digits[-9:]}"
    return text.rstrip("0").rstrip(".") + "Z" if text[-1] == "0" else text + "Z"


@lru_cache(maxsize=8192)
def _whole_seconds(seconds: str) -> str:
    """Write the seconds of a time: the slow part, which the times of one answer mostly share."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_time(text: str) -> int | None:
    """Read a time with any offset, ns since the epoch; None for text that is no time, and for "not yet"."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{offset.upper()}")
    except ValueError:  # a month 13
        return None
    at = int(whole.timestamp()) * 1_000_000_000 + int((fraction or "")[:9].ljust(9, "0"))
    return at if at > 0 else None
