"""Signed messages: nobody else can make one, not even who runs the broker, and each counts once. Pure.

A signed message is an *envelope*: lines, as on a local socket, below a head. The head has the signature and a
*stamp*, and the signature covers the topic with the channel, the stamp and all lines. So one signature is
enough for all that goes to one receiver at once.

The stamp names the start of the receiver that it is for, so what was recorded before a restart counts for
nothing after it; and the start of the sender, with a number that grows. No clocks are compared: the time of a
sender only says how much older than its newest message another one is.

What goes to all at once, such as a manager's announcement, stays the JSON object that it is, and has the
signature as its last field. It has no stamp: a repetition of it changes nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from propeller.wire.fleet.codec import split_line
from propeller.wire.fleet.fields import Count

#: Below ``proplet/<id>/``: envelopes of the manager. Below ``from/<id>/``: those of a proplet.
TO_PROPLET_TOPIC = "control/manager/signed"
FROM_PROPLET_TOPIC = "control/proplet/signed"
#: In place of the receiver's start: a proplet's will, which is signed before it is known who will hear it.
ANY_START = 0
#: How many messages an envelope has at most, and how many bytes, unless one alone has more.
_LINES_MAX = 256
_BYTES_MAX = 65_536
#: The most bytes that an envelope has besides its messages, and that each of these has besides its payload.
AROUND_LINES_BYTES = 512
#: Messages that are so far behind the newest, or that much older by their sender's clock, are refused.
_BEHIND_MAX = 1024
_OLDER_NS_MAX = 600_000_000_000
_CONTEXT = b"propeller fleet 1 "
_SIGNATURE_LENGTH = 86
_LAST_FIELD = re.compile(rb',"signature":"([A-Za-z0-9_-]{86})"\}\Z')


class Signs(Protocol):
    def sign(self, data: bytes) -> bytes:
        """Give the signature of these bytes: 86 characters."""


class Checks(Protocol):
    def has_signed(self, data: bytes, signature: bytes) -> bool: ...


class Forged(ValueError):
    """A message counts for nothing; the text says why."""


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What tells an envelope from all others."""

    #: The start of the receiver that it is for: the boot of a proplet, or the epoch of a manager.
    to: Count
    #: The start of its sender, likewise.
    session: Count
    #: Grows with each envelope to this receiver.
    number: Count
    #: When it was made, by the sender's monotonic clock, ns.
    at: Count


class Envelope(NamedTuple):
    stamp: Stamp
    lines: list[bytes]

    def messages(self) -> list[tuple[str, bytes]]:
        """Give topic and payload of each message; raise ``ValueError`` if a line is none."""
        return [split_line(line) for line in self.lines]


class Sealer:
    """Makes the signed messages of one program; topics are below the channel's prefix."""

    def __init__(self, key: Signs, base: str) -> None:
        self._key = key
        self._base = base
        self._numbers: Counter[str] = Counter()

    def sealed(self, topic: str, lines: Iterable[bytes], *, to: int, session: int, at: int) -> bytes:
        """Put lines, each with its end, into an envelope."""
        self._numbers[topic] += 1
        stamp = msgspec.json.encode(Stamp(to, session, self._numbers[topic], at))
        rest = b"%s\n%s" % (stamp[1:], b"".join(lines))
        return b'["%s",%s' % (self._key.sign(_covered(self._base, topic, rest)), rest)

    def signed(self, topic: str, payload: bytes) -> bytes:
        """Add the signature to a JSON object that goes to all."""
        return b'%s,"signature":"%s"}' % (payload[:-1], self._key.sign(_covered(self._base, topic, payload)))


class Opener:
    """Opens the envelopes of one sender."""

    def __init__(self, key: Checks, base: str) -> None:
        self._key = key
        self._base = base
        self._window = _Window()
        #: The start of the sender whose will was read last, and the will's number.
        self._will = (0, 0)

    def opened(self, topic: str, payload: bytes, *, to: int, takes_wills: bool = False) -> Envelope:
        """Check an envelope and give what is in it.

        Args:
            topic: Where it came.
            payload: The envelope.
            to: This start of the receiver.
            takes_wills: Whether it may also be a will, which is for ``ANY_START``.

        Raises:
            Forged: It is not from the sender, or for another start, or it is a repetition, or too old.

        """
        envelope, signature, rest = _read(payload)
        stamp = envelope.stamp
        is_will = takes_wills and stamp.to == ANY_START
        if stamp.to != to and not is_will:
            raise Forged("it is for another start of the program that it came to")
        if not self._key.has_signed(_covered(self._base, topic, rest), signature):
            raise Forged("its signature is wrong")
        if is_will:
            self._take_will(stamp)
        else:
            self._window.take(stamp)
        return envelope

    def is_signed(self, topic: str, payload: bytes) -> bool:
        """Say whether a JSON object that goes to all has the sender's signature."""
        found = _LAST_FIELD.search(payload)
        if found is None:
            return False
        bare = b"%s}" % payload[: found.start()]
        return self._key.has_signed(_covered(self._base, topic, bare), found[1])

    def _take_will(self, stamp: Stamp) -> None:
        if (stamp.session, stamp.number) <= self._will or stamp.session < self._window.session:
            raise Forged("it is a repetition")
        self._will = stamp.session, stamp.number


class _Window:
    """Remembers which of a sender's last envelopes came."""

    def __init__(self) -> None:
        self.session = 0
        self._newest = 0
        self._newest_at = 0
        #: The bit n is set if the envelope came whose number is the newest one minus n.
        self._came = 0

    def take(self, stamp: Stamp) -> None:
        """Take note of one; raise ``Forged`` if it may not count."""
        if stamp.session < self.session:
            raise Forged("it is of an earlier start of its sender")
        if stamp.session > self.session:
            self.session, self._newest, self._newest_at, self._came = stamp.session, stamp.number, stamp.at, 1
            return
        behind = self._newest - stamp.number
        if behind >= _BEHIND_MAX or self._newest_at - stamp.at > _OLDER_NS_MAX:
            raise Forged("it is old")
        if behind >= 0:
            if self._came >> behind & 1:
                raise Forged("it is a repetition")
            self._came |= 1 << behind
        else:
            self._came = (
                (self._came << -behind | 1) & ((1 << _BEHIND_MAX) - 1) if -behind < _BEHIND_MAX else 1
            )
            self._newest = stamp.number
        self._newest_at = max(self._newest_at, stamp.at)


def is_envelope(payload: bytes) -> bool:
    """Tell an envelope from the JSON object of an unsigned message."""
    return payload[:1] == b"["


def messages_in(payload: bytes) -> list[tuple[str, bytes]]:
    """Give topic and payload of each message in an envelope of our own, which is not checked."""
    return _read(payload)[0].messages()


def parcels(lines: Sequence[bytes], bytes_max: int) -> Iterator[list[bytes]]:
    """Divide lines among envelopes with this many bytes at most, unless one line alone has more."""
    parcel: list[bytes] = []
    size, most = 0, min(bytes_max, _BYTES_MAX)
    for line in lines:
        if parcel and (size + len(line) > most or len(parcel) >= _LINES_MAX):
            yield parcel
            parcel, size = [], 0
        parcel.append(line)
        size += len(line)
    if parcel:
        yield parcel


def _covered(base: str, topic: str, rest: bytes) -> bytes:
    return b"%s%s/%s\n%s" % (_CONTEXT, base.encode(), topic.encode(), rest)


def _read(payload: bytes) -> tuple[Envelope, bytes, bytes]:
    """Give an envelope, its signature, and all that this covers besides the topic."""
    begin, end = payload[:2], _SIGNATURE_LENGTH + 2
    if begin != b'["' or payload[end : end + 2] != b'",':
        raise Forged("it is not signed")
    rest = payload[end + 2 :]
    head, _, body = rest.partition(b"\n")
    try:
        stamp = msgspec.json.decode(b"[%s" % head, type=Stamp)
    except msgspec.MsgspecError as error:
        raise Forged(f"its stamp can't be read: {error}") from None
    return Envelope(stamp, body.removesuffix(b"\n").split(b"\n")), payload[2:end], rest
