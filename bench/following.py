"""Follows a path over many connections, and throws away what comes: its command line is HOST PORT COUNT PATH.

It says "following" once all of them follow, and at SIGTERM, as JSON, how much came and when the last did.
"""

import json
import selectors
import signal
import socket
import sys
import time

_BUFFER_BYTES = 256 * 1024


def main() -> None:
    host, port, count, path = sys.argv[1:]
    readers = [socket.create_connection((host, int(port))) for _ in range(int(count))]
    for reader in readers:
        reader.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    selector = selectors.DefaultSelector()
    for reader in readers:
        greeting = b""
        while b": following" not in greeting:
            greeting += reader.recv(65536)
        reader.setblocking(False)
        selector.register(reader, selectors.EVENT_READ)
    is_over = False

    def end(*_: object) -> None:
        nonlocal is_over
        is_over = True

    signal.signal(signal.SIGTERM, end)
    print("following", flush=True)
    buffer, read_bytes, last_at = bytearray(_BUFFER_BYTES), 0, 0.0
    while not is_over:
        for key, _ in selector.select(0.05):
            found = key.fileobj
            assert isinstance(found, socket.socket)
            read_bytes += found.recv_into(buffer)
            last_at = time.time()
    print(json.dumps({"bytes": read_bytes, "last_at": last_at}), flush=True)


if __name__ == "__main__":
    main()
