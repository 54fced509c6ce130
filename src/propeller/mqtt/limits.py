"""The size that a packet may have, as far as it is known, and the words for it.

MQTT 5 lets a broker announce its limit. One that does not refuses a packet, or ends the connection when it
sees one that is larger. The largest packet on its way is to blame then: if it was a smaller one that
ended the connection, the largest would have done so as well.
"""

#: What topic and header of a message have at most beside its payload.
AROUND_BYTES = 512
#: No broker ends a connection because of a packet that is smaller.
_SUSPICIOUS_BYTES = 16_384
#: After how many unexplained losses in a row, with a large packet on its way, that packet is to blame.
_LOSSES = 4


class Limits:
    """All sizes are of packets: payload, topic and header."""

    def __init__(self, own_bytes: int) -> None:
        """Begin with what our own settings allow."""
        self._own = own_bytes
        #: The broker's word; 0 where there is none.
        self._announced = 0
        #: The smallest that it refused, and the largest that it took; 0 where there is none.
        self._refused = self._taken = 0
        self._losses = 0

    # -- what becomes known --------------------------------------------------------------------------------

    def announced(self, size_bytes: int) -> None:
        """Take in what a broker says when it takes us in; 0 if it says nothing."""
        self._announced = size_bytes

    def taken(self, size_bytes: int) -> None:
        """Take in that a packet was acknowledged; a large one that gets through ends a row of losses."""
        if self.is_suspicious(size_bytes):
            self._losses = 0
        self._taken = max(self._taken, size_bytes)

    def refused(self, size_bytes: int) -> None:
        self._refused = min(self._refused or size_bytes, size_bytes)
        self._taken = min(self._taken, size_bytes - 1)
        self._losses = 0

    def lost(self, on_their_way: int, *, is_too_large: bool = False) -> bool:
        """Take in the end of a connection, and say whether the largest packet on its way is to blame.

        Args:
            on_their_way: The size of that packet; 0 where there was none.
            is_too_large: The broker gave this as the reason.

        """
        if not self.is_suspicious(on_their_way):
            # It may be another broker that comes back, or one that was told of another limit.
            self._refused = self._taken = self._losses = 0
            return False
        self._losses += 1
        if not is_too_large and self._losses < _LOSSES:
            return False
        self.refused(on_their_way)
        return True

    # -- what follows --------------------------------------------------------------------------------------

    def is_suspicious(self, size_bytes: int) -> bool:
        """Say whether a packet is so large that it could be why a connection ends."""
        return size_bytes > max(self._taken, _SUSPICIOUS_BYTES)

    def lets_through(self, size_bytes: int) -> bool:
        return size_bytes <= self._most and not 0 < self._refused <= size_bytes

    @property
    def likely_bytes(self) -> int:
        """The largest that is likely to get through, for what can be cut."""
        return min(self._most, max(self._taken, self._refused // 2) if self._refused else self._most)

    def why_not(self, size_bytes: int) -> str:
        """Say why a packet of this size is not let through, with both numbers and what to do."""
        if 0 < self._refused <= size_bytes:
            limit = f"the broker has refused one of {self._refused:,}"
            remedy = "raise its limit (Mosquitto: message_size_limit)"
        elif self._most < self._own:
            limit = f"the broker takes {self._announced:,} at most"
            remedy = "raise its limit (Mosquitto: max_packet_size)"
        else:
            limit = f"{self._own:,} are allowed here"
            remedy = "raise mqtt_max_packet_size of the programs, and what the broker takes"
        return f"has {size_bytes:,} bytes, and {limit}; {remedy}"

    @property
    def _most(self) -> int:
        return min(self._own, self._announced or self._own)
