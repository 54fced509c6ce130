"""Connections that the system breaks when nothing comes back from the machine at their other end.

TCP alone waits for many minutes. A program there that is slow to answer breaks no connection: its system
answers for it.
"""

import asyncio
import contextlib
import socket

#: After so long a silence of the network a connection is taken for lost, s.
SILENCE_S = 6
#: How long nothing may come before the system asks whether the other is there, and from one question to the
#: next, s.
IDLE_S, AGAIN_S = 2, 1
#: How many questions have no answer then.
QUESTIONS = (SILENCE_S - IDLE_S) // AGAIN_S


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the system notice that the network to the other end is cut, also while an answer is waited for."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", IDLE_S),
        ("TCP_KEEPINTVL", AGAIN_S),
        ("TCP_KEEPCNT", QUESTIONS),
        ("TCP_USER_TIMEOUT", SILENCE_S * 1000),
    ):
        with contextlib.suppress(AttributeError, OSError):  # Linux has all of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
