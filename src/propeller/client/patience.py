"""Waiting for a manager that has too much to do: what is safe is sent again when it says."""

import random
import time
from collections.abc import Callable

import httpx

from propeller.backoff import Backoff

#: Told of each wait: what the manager said, and how long it is waited, s.
OnWait = Callable[[str, float], None]

#: How long a request may wait in all, s.
_WAIT_S_MAX = 120.0
_BACKOFF = Backoff(1.0, 30.0)
#: How much longer than it was told a client waits, by chance: many were told the same.
_JITTER = 0.5
_BUSY, _UNAVAILABLE = 429, 503


class Patience:
    """Sends requests, and sends those again that a busy manager refused."""

    def __init__(self, on_wait: OnWait | None, *, wait_s_max: float | None = None) -> None:
        """Take who is told of waits, and how long a request may wait in all; None for long."""
        self._on_wait = on_wait
        self._wait_s_max = _WAIT_S_MAX if wait_s_max is None else min(wait_s_max, _WAIT_S_MAX)

    def send(self, http: httpx.Client, request: httpx.Request) -> httpx.Response:
        """Give the last answer; raise what ``httpx.Client.send`` does."""
        waited_s = 0.0
        failures = 0
        while True:
            response = http.send(request)
            told = response.headers.get("retry-after", "")
            if not (told.isdecimal() and _may_come_again(request, response.status_code)):
                return response
            least_s = max(float(told), _BACKOFF.delay_s(failures))
            wait_s = least_s * (1 + random.random() * _JITTER)  # noqa: S311  no secret
            if waited_s + wait_s > self._wait_s_max:
                return response
            if self._on_wait is not None:
                self._on_wait(_said(response), wait_s)
            time.sleep(wait_s)
            waited_s += wait_s
            failures += 1


def _may_come_again(request: httpx.Request, status: int) -> bool:
    """Say whether a request that was refused may be sent again.

    One that was refused as too many was not carried out. Of one to which something else came in between,
    nobody knows, and it may come again if it does no more when it comes twice.
    """
    if status == _BUSY:
        return True
    return status == _UNAVAILABLE and (request.method != "POST" or "idempotency-key" in request.headers)


def _said(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {response.status_code}"
