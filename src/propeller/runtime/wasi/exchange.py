"""One request to another server and its response, in a thread of their own."""

import contextlib
import math
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.wasi.fields import without_forbidden
from propeller.runtime.wasi.io import CHUNK_BYTES, InputStream
from propeller.runtime.wasi.messages import IncomingResponse
from propeller.runtime.wasi.session import Cancelled, Session

#: The longest wait for a connection, where the guest sets no limit.
_CONNECT_S = 30.0


class Upload:
    """A request's body between the guest's thread, which writes it, and the request's, which reads it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_complete = self._is_aborted = self._is_abandoned = False

    # The guest's thread.

    def write(self, chunk: bytes) -> None:
        self._session.wait(lambda: self._size < CHUNK_BYTES or self._is_abandoned)
        if self._is_abandoned:
            raise OSError("the request does not take its body any more")
        with self._session.condition:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self._session.condition.notify_all()

    def close(self) -> None:
        self._is_complete = True
        self._session.wake()

    def abort(self) -> None:
        """End the body before it is complete."""
        self._is_aborted = True
        self._session.wake()

    # The request's thread.

    def abandon(self) -> None:
        """Read no more of the body."""
        self._is_abandoned = True
        self._session.wake()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self._session.wait(lambda: bool(self._chunks) or self._is_complete or self._is_aborted)
            if self._is_aborted:
                raise Cancelled("the guest did not finish the body of its request")
            with self._session.condition:
                if not self._chunks:
                    return
                chunk = self._chunks.popleft()
                self._size -= len(chunk)
                self._session.condition.notify_all()
            yield chunk


class Exchange:
    """A request that begins at once, and its response when that has come.

    Args:
        session: The guest's call; the exchange ends with it.
        transport: Sends the request.
        request: The request, to a server that the guest may reach.
        upload: The request's body.
        times: The guest's time limits by name, ns.

    """

    def __init__(
        self,
        session: Session,
        transport: httpx.HTTPTransport,
        request: httpx.Request,
        upload: Upload | None,
        times: Mapping[str, int | None],
    ) -> None:
        #: The response or an error; None until one of them is known.
        self.outcome: Ok | Err | None = None
        self.is_taken = False
        self._session = session
        self._transport = transport
        self._request = request
        self._upload = upload
        self._between_s = self._seconds(times, "between-bytes-timeout")
        connect_s = self._seconds(times, "connect-timeout", _CONNECT_S)
        first_s = self._seconds(times, "first-byte-timeout")
        self._timeout = {"connect": connect_s, "read": first_s, "write": None, "pool": None}
        self._body = InputStream(session, self._on_room)
        self._socket: socket.socket | None = None
        self._is_over = False
        with session.condition:
            session.exchanges += 1
        session.at_end(self.end)
        threading.Thread(target=self._run, daemon=True).start()

    def _seconds(
        self, times: Mapping[str, int | None], name: str, otherwise_s: float = math.inf
    ) -> float | None:
        """Give a limit; None for as long as the guest's call goes on, which ends the exchange."""
        ns = times.get(name)
        seconds = min(otherwise_s if ns is None else ns / 1e9, self._session.remaining_s)
        return None if math.isinf(seconds) else seconds

    def end(self) -> None:
        """Break it off, from any thread; a wait for the other server ends."""
        self._is_over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def dropped(self) -> None:
        """End the exchange where the guest drops it before its response."""
        if not self.is_taken:
            self.end()

    def _on_room(self) -> None:
        if self._body.is_abandoned:
            self.end()

    def _run(self) -> None:
        try:
            self._carry_out()
            self._body.close()
        except Cancelled as error:
            self._fail(Case("internal-error", str(error)), str(error))
        except Exception as error:  # a guest waits for the outcome, whatever it is
            self._fail(error_code(error), str(error) or type(error).__name__)
        finally:
            if self._upload is not None:
                self._upload.abandon()
            with self._session.condition:
                self._session.exchanges -= 1
            self._session.not_at_end(self.end)

    def _carry_out(self) -> None:
        self._request.extensions = {"timeout": self._timeout, "trace": self._trace}
        response = self._transport.handle_request(self._request)
        try:
            headers = [(name.decode("latin-1"), value) for name, value in response.headers.raw]
            incoming = IncomingResponse(response.status_code, without_forbidden(headers), self._body)
            self.outcome = Ok(incoming)
            self._session.wake()
            self._timeout["read"] = self._between_s
            for chunk in self._stream(response):
                self._body.put(chunk)
                self._session.wait(lambda: self._body.has_room)
                if self._body.is_abandoned or self._is_over:
                    return
        finally:
            response.close()

    @staticmethod
    def _stream(response: httpx.Response) -> Iterator[bytes]:
        assert isinstance(response.stream, httpx.SyncByteStream)
        yield from response.stream

    def _trace(self, event: str, details: Mapping[str, Any]) -> None:
        """Note the connection's socket as soon as there is one."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = details["return_value"].get_extra_info("socket")
            if self._is_over:
                self.end()

    def _fail(self, code: Case, text: str) -> None:
        if self.outcome is None:
            self.outcome = Err(code)
        self._body.close(text, code)
        self._session.wake()


def error_code(error: BaseException) -> Case:
    """Translate an error to ``wasi:http``."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 10:
        causes.append(cause)
    for one in causes:
        match one:
            case socket.gaierror():
                return Case("DNS-error", {"rcode": one.strerror, "info-code": None})
            case ssl.SSLCertVerificationError():
                return Case("TLS-certificate-error")
            case ssl.SSLError():
                return Case("TLS-protocol-error")
            case ConnectionRefusedError():
                return Case("connection-refused")
    for kind, name in _CODES.items():
        if isinstance(error, kind):
            return Case(name)
    return Case("internal-error", f"{type(error).__name__}: {error}")


#: The first kind that matches counts.
_CODES: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "connection-timeout",
    httpx.ReadTimeout: "connection-read-timeout",
    httpx.WriteTimeout: "connection-write-timeout",
    httpx.PoolTimeout: "connection-timeout",
    httpx.ConnectError: "destination-unavailable",
    httpx.LocalProtocolError: "HTTP-protocol-error",
    httpx.RemoteProtocolError: "HTTP-protocol-error",
    httpx.TransportError: "connection-terminated",
}
