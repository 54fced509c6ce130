"""GET over HTTP: redirects followed one by one, faults told apart and put into words."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self

import httpx

from propeller import __version__
from propeller.errors import ModuleUnavailable
from propeller.registry.addresses import CheckedTransport
from propeller.registry.retry import Transient
from propeller.registry.settings import RegistrySettings, netloc

_REDIRECTS_MAX = 5
_REDIRECT_STATUSES = {301, 302, 303, 307, 308}
_TRANSIENT_STATUSES = {408, 429, 500, 502, 503, 504}
_RETRY_AFTER_S_MAX = 10
_CONNECT_S_MAX = 10.0

#: Gives the headers of a request by its address: credentials must not follow a redirect anywhere.
HeadersFor = Callable[[httpx.URL], dict[str, str]]


def tls_context(settings: RegistrySettings) -> ssl.SSLContext:
    """Make what all connections share; raise ``ModuleUnavailable`` if the CA certificate can't be read."""
    context = ssl.create_default_context()
    if settings.ca_cert is not None:
        try:
            context.load_verify_locations(settings.ca_cert)
        except OSError as error:  # TLS errors are among them
            raise ModuleUnavailable(f"CA certificate {settings.ca_cert} can't be used: {error}") from error
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Web:
    """The requests that one operation makes; all of them are closed with it."""

    def __init__(self, settings: RegistrySettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(settings, tls),
            timeout=httpx.Timeout(settings.timeout_s, connect=min(_CONNECT_S_MAX, settings.timeout_s)),
            trust_env=False,
            # Digests are over the bytes as stored, and what unpacks has no bound.
            headers={"User-Agent": f"propeller/{__version__}", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def get(self, url: httpx.URL, headers_for: HeadersFor) -> AsyncIterator[httpx.Response]:
        """Give the answer before its body, whatever its status, unless that is a transient fault.

        Raises:
            Transient: No connection, no answer in time, or the server is overloaded; also in the body.
            ModuleUnavailable: Not a public address, an unknown certificate, too many redirects.

        """
        with _in_words(url, self._settings.timeout_s):
            response = await self._follow(url, headers_for)
            try:
                yield response
            finally:
                await response.aclose()

    async def read(self, url: httpx.URL, headers_for: HeadersFor, *, bytes_max: int) -> "Answer":
        """Give a small answer whole."""
        async with self.get(url, headers_for) as response:
            return await read_whole(response, bytes_max=bytes_max)

    async def _follow(self, url: httpx.URL, headers_for: HeadersFor) -> httpx.Response:
        for _ in range(_REDIRECTS_MAX + 1):
            request = self._client.build_request("GET", url, headers=headers_for(url))
            response = await self._client.send(request, stream=True)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECT_STATUSES or location is None:
                await _fail_if_transient(response)
                return response
            await response.aclose()
            url = self._next_hop(url, location)
        raise ModuleUnavailable(f"{shown(url)} is at the end of more than {_REDIRECTS_MAX} redirects")

    def _next_hop(self, url: httpx.URL, location: str) -> httpx.URL:
        hop = url.join(location)
        if hop.scheme not in ("http", "https") or not hop.host:
            raise ModuleUnavailable(f"{shown(url)} redirects to {location[:200]!r}, which is no web address")
        if url.scheme == "https" and hop.scheme == "http" and not self._settings.is_plain(hop):
            raise ModuleUnavailable(f"{shown(url)} redirects from https to plain http, at {netloc(hop)}")
        return hop


class Answer:
    """An answer with its body."""

    def __init__(self, response: httpx.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = body


async def pieces(response: httpx.Response, *, bytes_max: int) -> AsyncIterator[bytes]:
    """Give the body as it arrives, and raise ``ModuleUnavailable`` at once when it is larger than allowed."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ModuleUnavailable(f"{shown(response.url)} is sent compressed, though this was not accepted")
    taken = 0
    async for piece in response.aiter_raw():
        taken += len(piece)
        if taken > bytes_max:
            raise ModuleUnavailable(f"{shown(response.url)} is larger than the {bytes_max} bytes allowed")
        yield piece


async def read_whole(response: httpx.Response, *, bytes_max: int) -> Answer:
    return Answer(response, b"".join([piece async for piece in pieces(response, bytes_max=bytes_max)]))


def status_line(status: int) -> str:
    return f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".rstrip()


def shown(url: httpx.URL) -> str:
    """An address without what may be secret in it."""
    return f"{url.scheme}://{netloc(url)}{url.path}"


async def _fail_if_transient(response: httpx.Response) -> None:
    if response.status_code not in _TRANSIENT_STATUSES:
        return
    await response.aclose()
    wish = response.headers.get("retry-after", "")
    raise Transient(
        f"{status_line(response.status_code)} fetching wasm from URL {shown(response.url)}",
        retry_after_s=min(int(wish), _RETRY_AFTER_S_MAX) if wish.isdecimal() else 0,
    )


@contextlib.contextmanager
def _in_words(url: httpx.URL, timeout_s: float) -> Iterator[None]:
    """Turn what HTTP and TLS raise into errors of ours."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
        raise ModuleUnavailable(f"{shown(url)} can't be asked for: {error}") from error
    except httpx.TimeoutException as error:
        raise Transient(f"{netloc(url)} did not answer within {timeout_s:g} s") from error
    except httpx.TransportError as error:
        secure = _tls_error(error)
        if secure is not None:
            raise ModuleUnavailable(f"no TLS connection with {netloc(url)}: {secure}") from error
        raise Transient(f"{netloc(url)} can't be read: {str(error) or type(error).__name__}") from error


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
