"""The latest events: those that were there, and those that come."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from propeller.cli import formatting

#: Events that are kept; older ones are dropped.
KEPT = 2_000


class Happenings:
    def __init__(self) -> None:
        self._kept: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=KEPT)
        #: How many there have been.
        self.count = 0

    def take(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self.count += 1
            self._kept.append((self.count, event))

    def latest(
        self, count: int, *, search: str = "", state: int | None = None
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """Give the newest first, each with a number of its own.

        Args:
            count: How many at most.
            search: Only those that have this somewhere in what is shown of them, whatever its case.
            state: Only those into this state.

        """
        wanted = search.casefold()
        found = (
            (number, event)
            for number, event in reversed(self._kept)
            if state in (None, event["state"]) and (not wanted or wanted in _words(event))
        )
        return [*islice(found, count)]


def cause(event: Mapping[str, Any]) -> str:
    """Say what made a change."""
    given = event.get("cause") or {}
    who = (given.get(name, "") for name in ("task_id", "proplet_id", "timer"))
    return " ".join(filter(None, (given.get("kind", "").replace("_", " "), *who)))


def why(event: Mapping[str, Any]) -> str:
    return str(event.get("error") or event.get("reason") or "")


def _words(event: Mapping[str, Any]) -> str:
    given = (event.get(name, "") for name in ("task_id", "name", "workflow_id", "job_id", "proplet_id"))
    return " ".join((*given, formatting.state_name(event["state"]), cause(event), why(event))).casefold()
