"""Follows the manager's events and its other streams, through broken connections and restarts of the manager.

A follower gets each event once, in order. ``None`` among them means "look for yourself": the stream stands
(for the first time or anew), has been quiet for a while, or says that what is followed is gone. Whoever
starts something after the first ``None`` and looks at every ``None`` misses no end, whatever happens to the
connection.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx

from propeller.backoff import Backoff
from propeller.client.errors import ApiError, not_reached, refusal
from propeller.client.shapes import Event
from propeller.errors import PropellerError

#: Told of each break of a stream that comes back.
OnBreak = Callable[[PropellerError], None]

#: Longest silence of a living stream; the manager says something every 15 s.
_SILENCE_S_MAX = 45.0
_BACKOFF = Backoff(0.05, 2.0)
#: How often followers are told to look where a manager has no events.
_POLL = Backoff(0.5, 5.0)
_NO_SUCH_ROUTE = {404, 405, 501}
#: Kinds of events that have content for followers. Any other one, such as gone, says that there is something
#: to look at.
_CONTENT = {"", "message", "task", "changes", "overview", "log", "end"}


class Pace:
    """The pace of looks: each comes later than the one before until a follower has seen something change."""

    def __init__(self) -> None:
        self._looks = 0

    @property
    def is_kept(self) -> bool:
        """Whether there have been looks in place of events, because the manager has none."""
        return self._looks > 0

    def quicken(self) -> None:
        self._looks = 0

    def wait(self) -> None:
        time.sleep(_POLL.delay_s(self._looks))
        self._looks += 1


def follow(
    http: httpx.Client,
    only: Mapping[str, str],
    *,
    give_up_s: float,
    pace: Pace | None = None,
    on_break: OnBreak | None = None,
) -> Iterator[Event | None]:
    """Yield events from now on, for ever.

    Args:
        http: Its base URL is the manager's.
        only: Query parameters that choose among the events.
        give_up_s: How long a manager that has answered before may be away.
        pace: How often to look where a manager has no events; None for always twice a second.
        on_break: Told of each break of the stream, until it stands again.

    Raises:
        ApiError: The manager refuses, for example because a parameter is wrong.
        Unreachable: Nothing answers, or no longer.
        Untrusted: The manager's certificate is not believed.

    """
    try:
        yield from stream(http, "/events", only, give_up_s=give_up_s, on_break=on_break)
    except ApiError as error:
        if error.status not in _NO_SUCH_ROUTE:
            raise
    while True:
        yield None
        (pace or Pace()).wait()


def stream(
    http: httpx.Client,
    path: str,
    query: Mapping[str, str],
    *,
    give_up_s: float,
    on_break: OnBreak | None = None,
) -> Iterator[Any | None]:
    """Yield the events of any stream of the manager, each once; it is asked for again whenever it ends.

    None among them, the arguments and what is raised are as ``follow`` has them.
    """
    last_id = ""
    away_since: float | None = None
    has_answered = False
    failures = 0
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        timeout = httpx.Timeout(5.0, read=_SILENCE_S_MAX)
        try:
            with http.stream("GET", path, params=query, headers=headers, timeout=timeout) as response:
                if response.status_code >= 500 and response.status_code != 501 and has_answered:
                    raise httpx.ReadError(f"status {response.status_code}")  # it is still starting
                if response.status_code != 200:
                    response.read()
                    raise refusal(response)
                has_answered, away_since, failures = True, None, 0
                yield None
                for number, (new_id, event) in enumerate(read_stream(response.iter_bytes())):
                    last_id = new_id or last_id
                    if event is not None or number > 0:  # the first comment is a greeting
                        yield event
        except httpx.TransportError as error:
            away_since = away_since or time.monotonic()
            broken = not_reached(str(http.base_url).rstrip("/"), error)
            if not has_answered or time.monotonic() - away_since > give_up_s:
                raise broken from error
            if on_break is not None:
                on_break(broken)
        time.sleep(_BACKOFF.delay_s(failures))
        failures += 1


def read_stream(chunks: Iterable[bytes]) -> Iterator[tuple[str, Any | None]]:
    """Read server-sent events: id and content of each, and ``("", None)`` for a sign of life.

    Such a sign is a comment, or an event of a kind that has no content for followers.

    Source: HTML standard, 9.2.6. Lines end only where that says so; ``str.splitlines`` would break JSON
    that has U+2028 in it.
    """
    last_id, kind, data = "", "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data and kind not in _CONTENT:
                yield last_id, None
            elif data:
                yield last_id, json.loads("\n".join(data))
            kind, data = "", []
        elif line.startswith(":"):
            yield "", None
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                kind = value
            elif field == "id" and "\0" not in value:
                last_id = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split at LF, CRLF and CR; what the stream ends with but no line end is dropped."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        # A CR at the end may be half of a CRLF.
        held = b"\r" if rest.endswith(b"\r") else b""
        *lines, rest = rest.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += held
        for line in lines:
            yield line.decode(errors="replace")
