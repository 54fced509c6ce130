"""Messages to bytes and back.

On a local socket a message is one line of JSON: ``["control/manager/start",{…}]``.
"""

from collections.abc import Callable, Iterable

import msgspec

from propeller.wire.fleet.messages import MODULE_TOPIC, TOPICS, Message

_HEADS: dict[type[Message], bytes] = {kind: b'["%s",' % topic.encode() for topic, kind in TOPICS.items()}
_DECODERS: dict[str, Callable[[bytes], Message]] = {
    topic: msgspec.json.Decoder(kind).decode for topic, kind in TOPICS.items()
}
_DECODERS[MODULE_TOPIC] = _DECODERS["registry/proplet"]
encode = msgspec.json.Encoder().encode


def decode(topic: str, payload: bytes) -> Message:
    """Read a message; raise ``ValueError`` that says what is wrong with it."""
    read = _DECODERS.get(topic)
    if read is None:
        raise ValueError(f"no message of the protocol: {topic[:80]!r}")
    try:
        return read(payload)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def to_line(message: Message) -> bytes:
    return b"%s%s]\n" % (_HEADS[type(message)], encode(message))


def line_of(topic: str, payload: bytes) -> bytes:
    """Write a message whose JSON there is already as a line."""
    return b'["%s",%s]\n' % (topic.encode(), payload)


def split_line(line: bytes) -> tuple[str, bytes]:
    """Give topic and payload of a line without its end; raise ``ValueError`` if it is none."""
    head, comma, rest = line.partition(b",")
    if not comma or head[:2] != b'["' or head[-1:] != b'"' or rest[-1:] != b"]":
        raise ValueError(f"no message of the protocol: {line[:80]!r}")
    return head[2:-1].decode(), rest[:-1]


def from_line(line: bytes) -> Message:
    """Read one line without its line end; raise ``ValueError`` that says what is wrong with it."""
    return decode(*split_line(line))


class LineSplitter:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterable[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
