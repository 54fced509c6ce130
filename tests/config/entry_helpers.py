"""The two forms of an entry: where a setting has its effect."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Here(NamedTuple):
    """What ``look`` finds at the part that takes the value; it gets all that is built."""

    raw: str
    look: Callable[[Any], Any]
    wanted: Any
    #: Variables that have to be set besides, without their prefix.
    more: Mapping[str, str] = MappingProxyType({})


class There(NamedTuple):
    """What the parts have of the value, and the test that sees what they do with it."""

    raw: str
    #: By the place among the parts, as in ``mqtt.tls.ca_cert``.
    wanted: Mapping[str, Any]
    test: str
    #: What of that test shows that it is about this setting; "" for the names that end the places.
    word: str = ""
    more: Mapping[str, str] = MappingProxyType({})
