"""The size that a packet may have, as far as it is known, and the words for it.

With MQTT 5 a broker may announce its limit. A broker that does not refuses a larger packet, or ends the
connection. Then the largest packet on its way is to blame: if a smaller one had ended the connection, the
largest would have ended it too.
"""

#: The most bytes that topic and header of a message have besides its payload.
AROUND_BYTES = 512
#: The size below which no broker ends a connection because of a packet.
_SUSPICIOUS_BYTES = 16_384
#: After how many unexplained losses in a row, with a large packet on its way, that packet is to blame.
_LOSSES = 4


class Limits:
    """The limits of one link. All sizes are of packets: payload, topic and header."""

    def __init__(self, own_bytes: int) -> None:
        """Begin with the limit of the settings."""
        self._own = own_bytes
        #: The limit that the broker announced; 0 for none.
        self._announced = 0
        #: The smallest packet that it refused, and the largest that it took; 0 for none.
        self._refused = self._taken = 0
        self._losses = 0

    # -- what becomes known --------------------------------------------------------------------------------

    def announced(self, size_bytes: int) -> None:
        """Take in the limit that a broker announces on connecting; 0 if it announces none."""
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
            on_their_way: The size of that packet; 0 if there was none.
            is_too_large: True if the broker gave this as the reason.

        """
        if not self.is_suspicious(on_their_way):
            # The broker that comes back may be another, or have another limit.
            self._refused = self._taken = self._losses = 0
            return False
        self._losses += 1
        if not is_too_large and self._losses < _LOSSES:
            return False
        self.refused(on_their_way)
        return True

    # -- what follows --------------------------------------------------------------------------------------

    def is_suspicious(self, size_bytes: int) -> bool:
        """Say whether a packet is so large that it may end a connection."""
        return size_bytes > max(self._taken, _SUSPICIOUS_BYTES)

    def lets_through(self, size_bytes: int) -> bool:
        return size_bytes <= self._most and not 0 < self._refused <= size_bytes

    @property
    def likely_bytes(self) -> int:
        """The largest size that is likely to get through, for content that can be cut into pieces."""
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
