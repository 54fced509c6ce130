"""Durations as people write them: ``1m30s``, ``500ms`` as in Go, or a plain number of seconds."""

import math
import re

#: Roughly the longest duration that Go can hold; a longer one is a slip.
MAX_S = 290 * 365 * 86400.0

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_duration(text: str) -> float:
    """Return seconds, from 0 to ``MAX_S``.

    Raises:
        ValueError: It is none; the text says what one looks like.

    """
    text = text.strip()
    if _PLAIN.fullmatch(text):
        seconds = float(text)
    elif _WHOLE.fullmatch(text):
        seconds = math.fsum(float(part[1]) * _UNITS[part[2]] for part in _PART.finditer(text))
    else:
        raise ValueError("is no duration; write one as 30s, 1m30s or 500ms, or as a number of seconds")
    if seconds > MAX_S:
        raise ValueError("is longer than 290 years")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds so that ``parse_duration`` reads the same: ``1h30m``, ``2.5s``, ``0s``."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    shown = f"{rest:.9f}".rstrip("0").rstrip(".")
    parts = [(f"{hours:.0f}h", hours), (f"{minutes:.0f}m", minutes), (f"{shown}s", rest)]
    return "".join(text for text, value in parts if value) or "0s"
