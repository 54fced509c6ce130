"""The reason codes of MQTT 5 that the link acts upon, and words for all codes."""

SESSION_TAKEN_OVER = 0x8E
#: For a message, or for the end of a connection.
PACKET_TOO_LARGE = 0x95

#: For a refused connection that may be accepted later: 3 with MQTT 3.1.1, the others with MQTT 5.
PASSING = frozenset({3, 0x80, 0x83, 0x88, 0x89, 0x97, 0x9F})
#: Among these, those by which a broker may mean that it keeps no sessions (FluxMQ, one node: 3 and 0x80).
MAYBE_SESSIONS = frozenset({3, 0x80, 0x83, 0x88})
#: For a refused connection: the broker knows an older MQTT only.
OTHER_VERSION = frozenset({1, 0x84})
#: For a refused connection: the broker keeps no message for later, as the will asks.
RETAIN_NOT_SUPPORTED = 0x9A
#: For a refused connection: the broker offers a lower quality of service than the will asks for.
QOS_NOT_SUPPORTED = 0x9B

_WORDS = {
    0x80: "it does not say why",
    0x81: "it could not read what we sent",
    0x82: "it says that we broke the protocol",
    0x83: "it can't take what we sent",
    0x87: "it does not let us do that; check its access rules",
    0x89: "it is busy",
    0x8B: "it is shutting down",
    0x8D: "it heard nothing of us in time",
    0x93: "it had more at once from us than it takes",
    0x95: "it was sent a larger message than it takes",
    0x96: "it had more messages from us than it takes in that time",
    0x97: "we have used up what it allows us",
    0x98: "somebody ended the connection there",
    0x9A: "it keeps no messages for who comes later (Mosquitto: retain_available)",
    0x9B: "it offers a lower quality of service",
    0x9F: "it takes no more connections in this time",
    0xA0: "it keeps no connection for longer",
}


def words_of(reason: int) -> str:
    """Say what a reason means, for the end of a connection or for a refused message."""
    return _WORDS.get(reason, f"it gives the reason {reason:#04x}")
