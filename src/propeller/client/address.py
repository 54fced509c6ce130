"""The address of a manager."""

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
