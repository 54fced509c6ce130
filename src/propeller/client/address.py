"""The address of a manager, and what may be sent there."""

import ipaddress

import httpx

from propeller.errors import Invalid

DEFAULT_URL = "http://localhost:7070"


def manager_url(text: str) -> str:
    """Give the URL of a manager in full, without ``/`` at its end; ``http://`` may be left out.

    Raises:
        Invalid: It is none.

    """
    whole = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        url = httpx.URL(whole)
    except httpx.InvalidURL as error:
        raise Invalid(f"manager URL {text}: {error}; it looks like {DEFAULT_URL}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Invalid(f"manager URL {text}: it has to look like {DEFAULT_URL}")
    return whole


def headers_with(token: str, url: httpx.URL, *, may_be_read: bool) -> dict[str, str]:
    """Make the headers of all requests to a manager.

    Args:
        token: What to be known by; ``""`` for nothing.
        url: The manager.
        may_be_read: True to send it although others on the way may read it.

    Raises:
        Invalid: The token is none, or others could read it.

    """
    if not token:
        return {}
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Invalid("the token has characters that none has; copy it again, as in prp_ID_SECRET")
    if url.scheme != "https" and not may_be_read and not is_loopback(url.host):
        raise Invalid(
            f"{url}: everybody on the way could read the token, so it is not sent; use https://, or "
            "--insecure to send it all the same"
        )
    return {"authorization": f"Bearer {token}"}


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
