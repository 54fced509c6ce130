"""Names of namespaces: as people write them, and as records have them.

The namespace of whatever names none is ``default``, and records have ``""`` for it.
"""

import re

from propeller.errors import Invalid

DEFAULT = "default"
CHARS_MAX = 63
PATTERN = rf"^[a-z0-9]([a-z0-9-]{{0,{CHARS_MAX - 2}}}[a-z0-9])?$"

_NAME = re.compile(PATTERN)


def stored(name: str) -> str:
    """Give a namespace as records have it."""
    return "" if name == DEFAULT else name


def shown(namespace: str) -> str:
    """Give a namespace of a record as people write it."""
    return namespace or DEFAULT


def check(name: str, field: str = "namespace") -> str:
    """Give a name, or raise ``Invalid`` for one that no namespace has."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{field}: {name[:80]!r} is no name of a namespace; use 1 to {CHARS_MAX} small letters, digits "
            "and hyphens, with no hyphen at an end"
        )
    return name
