"""A reverse proxy as people put before a manager, under a path of its own, and as bad as some of them are."""

import contextlib
import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host"}
#: Answers come as they are, so that texts in them can be replaced.
_NOT_HANDED_ON = {*_HOP_BY_HOP, "accept-encoding"}
_CHUNK = 1 << 16


class Answer(NamedTuple):
    """What the proxy answers by itself."""

    status: int
    content_type: str
    #: Pieces, so that a large one is never in memory as a whole.
    body: Callable[[], Iterator[bytes]]

    @classmethod
    def of_text(cls, status: int, text: str, content_type: str = "text/html") -> Self:
        return cls(status, content_type, lambda: iter([text.encode()]))


class ReverseProxy:
    """Hands requests below its prefix on, without the prefix.

    Args:
        upstream: Where the manager answers: ``http://127.0.0.1:7070``.
        prefix: Path that is taken off, such as ``/team/propeller``; other paths are not found.

    """

    def __init__(self, upstream: str, prefix: str = "") -> None:
        self.upstream = urlsplit(upstream)
        self.prefix = prefix
        #: Streams are cut when they are that old.
        self.stream_s_max: float | None = None
        #: Answers instead of the manager's: the first whose pattern fits the path, which has no prefix any more.
        self.instead: dict[str, Answer] = {}
        #: Texts that stand in answers in place of others.
        self.replaced: dict[bytes, bytes] = {}
        #: How many streams were begun.
        self.streams = 0
        self._open: set[_Stream] = set()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{prefix}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.cut()

    def cut(self) -> None:
        """End all streams that are open."""
        for stream in list(self._open):
            stream.cut()

    def stall(self) -> None:
        """Let nothing more through the streams that are open, and leave them open: nobody is told."""
        for stream in list(self._open):
            stream.is_stalled = True

    @contextlib.contextmanager
    def stream(self, connection: socket.socket) -> Iterator["_Stream"]:
        made = _Stream(connection)
        self.streams += 1
        self._open.add(made)
        timer = threading.Timer(self.stream_s_max, made.cut) if self.stream_s_max is not None else None
        if timer is not None:
            timer.start()
        try:
            yield made
        finally:
            self._open.discard(made)
            if timer is not None:
                timer.cancel()


class _Server(http.server.ThreadingHTTPServer):
    # A browser connects more often at once than the few that Python has room for.
    request_queue_size = 128


class _Stream:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.is_stalled = False

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    proxy: ReverseProxy

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        # A browser that has gone away, or a manager that has, is everyday business.
        with contextlib.suppress(OSError, HTTPException):
            self._answer_or_hand_on()

    def _answer_or_hand_on(self) -> None:
        if not self.path.startswith(f"{self.proxy.prefix}/"):
            self._answer(Answer.of_text(404, "<p>nothing is here"))
            return
        path = self.path.removeprefix(self.proxy.prefix)
        found = [answer for pattern, answer in self.proxy.instead.items() if re.match(pattern, path)]
        if found:
            self._answer(found[0])
        else:
            self._hand_on(path)

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.end_headers()
        for piece in answer.body():
            self.wfile.write(piece)

    def _hand_on(self, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))) or None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_HANDED_ON}
        address = self.proxy.upstream.hostname, self.proxy.upstream.port
        with contextlib.closing(HTTPConnection(*address)) as upstream:
            try:
                upstream.request(self.command, path, body, headers)
                answer = upstream.getresponse()
            except OSError:
                self._answer(Answer.of_text(502, "<html><h1>502 Bad Gateway</h1></html>"))
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                    self.send_header(name, value)
            self.end_headers()
            if answer.headers.get_content_type() == "text/event-stream":
                with self.proxy.stream(self.connection) as stream:
                    while piece := answer.read1(_CHUNK):
                        if not stream.is_stalled:
                            self.wfile.write(piece)
            else:
                content = answer.read()
                for old, new in self.proxy.replaced.items():
                    content = content.replace(old, new)
                self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
