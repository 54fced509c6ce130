"""Errors between client and manager."""

from typing import TYPE_CHECKING

from propeller.client.trust import distrust
from propeller.errors import PropellerError

if TYPE_CHECKING:
    import httpx


#: How it sounds where the other side ended a connection while it began: a server does not say why.
_HUNG_UP = ("Server disconnected without sending a response", "EOF occurred in violation of protocol")


class ApiError(PropellerError):
    """The manager answered, and refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        #: HTTP status: 4xx for the client's mistakes, 5xx for the manager's.
        self.status = status
        self.message = message


class NoSuchRoute(ApiError):
    """The manager does not offer what was asked: it knows less than this client."""


class Unreachable(PropellerError):
    """No answer came, or it broke off: nothing listens there, or the network failed."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no answer from {url}: {why}")
        self.url = url


class Untrusted(PropellerError):
    """Something answers, but no certificate authority that the client trusts says that it is the manager."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"the certificate of {url} is not trusted: {why}; name the file of the CA that signed it "
            "with --ca-cert (PROPELLER_CA_CERT), or accept any certificate with --insecure"
        )


def not_reached(url: str, error: Exception) -> Unreachable | Untrusted:
    """Make an error of one of the network's, without its number."""
    why = distrust(error)
    if why:
        return Untrusted(url, why)
    text = str(error)
    said = text.partition("] ")[2] or text or type(error).__name__
    if url.startswith("https:") and any(sign in said for sign in _HUNG_UP):
        said = (
            f"{said.rstrip('.')}; if it asks clients for certificates, show one that it takes: --client-cert"
        )
    return Unreachable(url, said)


def refusal(response: "httpx.Response") -> ApiError:
    """Make an error of an answer that has been read, in the manager's own words if there are any."""
    try:
        said = response.json().get("error")
    except (ValueError, AttributeError):
        said = None
    if not isinstance(said, str) or not said:
        request = f"{response.request.method} {response.request.url.path}"
        if response.status_code in (404, 405):
            return NoSuchRoute(response.status_code, f"the manager does not offer {request}")
        said = f"{request} answered {response.status_code} {response.reason_phrase}".rstrip()
    return ApiError(response.status_code, said)
