"""Asks for one path again and again: ``python -m bench.asking HOST PORT PATH``; says so once it is answered.

It imports little, for it is started often.
"""

import sys
import time
from http.client import HTTPConnection

_EVERY_S = 0.005


def main() -> None:
    host, port, path = sys.argv[1:]
    connection = HTTPConnection(host, int(port))
    is_first = True
    while True:
        connection.request("GET", path)
        answer = connection.getresponse()
        if is_first:
            print("reading", flush=True)
            is_first = False
        answer.read()  # a stream of events does not end
        time.sleep(_EVERY_S)


if __name__ == "__main__":
    main()
