"""Times as the wire has them: RFC 3339 in UTC, trailing zeros of the fraction left out.

Inside, a time is nanoseconds since the Unix epoch and 0 means "not yet"; the wire writes that as year 1.
"""

from datetime import UTC, datetime
from functools import lru_cache

ZERO = "0001-01-01T00:00:00Z"
_NS = 1_000_000_000


def format_time(at: int) -> str:
    """Write a time, ns since the epoch, with as many digits as it needs."""
    if not at:
        return ZERO
    seconds, fraction = divmod(at, _NS)
    if not fraction:
        return f"{_whole_seconds(seconds)}Z"
    return f"{_whole_seconds(seconds)}.{fraction:09d}".rstrip("0") + "Z"


@lru_cache(maxsize=8192)
def _whole_seconds(seconds: int) -> str:
    """The slow part, which the times of one answer mostly share."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
