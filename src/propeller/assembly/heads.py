"""What the head of a request says of what follows, and the text of a refusal."""

import http
import ipaddress

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from propeller.api.answers import error_body
from propeller.api.bodies import BODY_BYTES_MAX

#: The application begins with a request whose body has not all come yet when this much of it is there.
BEGUN_BYTES = 1024 * 1024
#: Bodies of this size are taken however many large ones there are.
SMALL_BODY_BYTES = 64 * 1024


def refusal_text(status: int, message: str, retry_s: int, *, closes: bool) -> bytes:
    body = error_body(message)
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        *(["connection: close"] if closes else []),
        *([f"retry-after: {retry_s}"] if status in (429, 503) else []),
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n",
    ]
    return "\r\n".join(lines).encode() + body


def network(address: str) -> str:
    """Give what names a client of this address; with IPv6 it has 2**64 addresses, and may use them all."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(address.partition("%")[0])) >> 64 << 64))


def is_there(cycle: RequestResponseCycle) -> bool:
    return not cycle.more_body or len(cycle.body) >= BEGUN_BYTES


def ends_soon(cycle: RequestResponseCycle) -> bool:
    """Say whether all of the body is there, or is small and on its way."""
    if not cycle.more_body:
        return True
    if cycle.waiting_for_100_continue:
        return False
    headers = dict(cycle.scope["headers"])
    if b"transfer-encoding" in headers:
        return False
    return int(headers.get(b"content-length", 0)) <= SMALL_BODY_BYTES


def comes_unasked(cycle: RequestResponseCycle) -> bool:
    """Say whether the client sends the body before it is asked to, and no more than is taken."""
    if cycle.waiting_for_100_continue:
        return False
    for name, value in cycle.scope["headers"]:
        if name == b"content-length" and int(value) > BODY_BYTES_MAX:
            return False
    return True
