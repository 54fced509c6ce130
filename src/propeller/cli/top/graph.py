"""The tasks of one workflow or job, each in its state, as ``propeller top`` shows them.

There may be 50,000. So the answer of the manager stays what it is, columns; a change costs work for one task,
and a look costs work for the rows that it shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from propeller.cli import formatting
from propeller.cli.top.drawing import ORDER
from propeller.core.states import PENDING, RUNNING, SCHEDULED

_COLUMNS = ("states", "attempts", "started", "finished", "up", "names", "proplets")


class Row(NamedTuple):
    """One task as it is shown; times are ms since the epoch, 0 for none."""

    id: str
    name: str
    state: int
    attempt: int
    proplet_id: str
    started: int
    finished: int
    is_up: bool


class Graph:
    """The tasks of a group, and how many are in each state."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        """Take in an answer of ``/workflows/{id}/graph`` or its kin."""
        tasks = answer["tasks"]
        #: All events up to this one are in it; None if the manager has no events.
        self.event_id: int | None = answer.get("event_id")
        self._ids: Sequence[str] = tasks["ids"]
        self._places = {task_id: place for place, task_id in enumerate(self._ids)}
        self._columns: dict[str, list[Any]] = {name: [*tasks[name]] for name in _COLUMNS}
        proplets = answer["proplets"]
        # The ids themselves: an event may name a proplet that the answer does not have.
        self._columns["proplets"] = [proplets[at] if at >= 0 else "" for at in tasks["proplets"]]
        #: The places of the tasks in each state, in the order in which they came into it.
        self._by_state: dict[int, dict[int, None]] = {}
        for place, number in enumerate(tasks["states"]):
            self._by_state.setdefault(number, {})[place] = None

    @property
    def size(self) -> int:
        return len(self._ids)

    @property
    def counts(self) -> dict[str, int]:
        return {
            formatting.state_name(number).lower(): len(places) for number, places in self._by_state.items()
        }

    def take(self, changes: Iterable[Sequence[Any]]) -> None:
        """Take in rows of brief events; those of tasks of others change nothing."""
        for task_id, number, attempt, proplet_id, time, is_up in changes:
            place = self._places.get(task_id)
            if place is not None:
                self._change(place, number, attempt, proplet_id, time, is_up)

    def _change(self, place: int, number: int, attempt: int, proplet_id: str, time: int, is_up: int) -> None:
        columns = self._columns
        before = columns["states"][place]
        if before != number:
            del self._by_state[before][place]
            self._by_state.setdefault(number, {})[place] = None
        columns["states"][place], columns["up"][place] = number, is_up
        columns["attempts"][place] = attempt
        columns["proplets"][place] = proplet_id or columns["proplets"][place]
        if number == RUNNING and before != RUNNING:
            columns["started"][place], columns["finished"][place] = time, 0
        elif number in (PENDING, SCHEDULED):
            columns["started"][place], columns["finished"][place] = 0, 0
        elif formatting.has_ended(number) and columns["started"][place]:
            columns["finished"][place] = time

    def rows(self, count: int, search: str = "") -> list[Row]:
        """Give up to ``count`` tasks, those first that people have to see: what failed, then what runs."""
        wanted = search.casefold()
        states = (*ORDER, *sorted(self._by_state.keys() - {*ORDER}))
        places = (place for number in states for place in self._by_state.get(number, ()))
        fitting = (place for place in places if not wanted or self._fits(place, wanted))
        return [self._row(place) for place in islice(fitting, count)]

    def _fits(self, place: int, wanted: str) -> bool:
        return wanted in self._ids[place].casefold() or wanted in self._columns["names"][place].casefold()

    def _row(self, place: int) -> Row:
        columns = self._columns
        return Row(
            self._ids[place],
            columns["names"][place],
            columns["states"][place],
            columns["attempts"][place],
            columns["proplets"][place],
            columns["started"][place],
            columns["finished"][place],
            bool(columns["up"][place]),
        )


def of_tasks(tasks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Make of whole tasks what a manager that knows graphs answers; it has no event's number."""
    columns: dict[str, list[Any]] = {name: [] for name in ("ids", *_COLUMNS)}
    proplets: dict[str, int] = {}
    for task in tasks:
        given = task.get("proplet_id") or ""
        columns["ids"].append(task["id"])
        columns["names"].append(task.get("name", ""))
        columns["states"].append(task["state"])
        columns["attempts"].append(task.get("attempt", 1))
        columns["started"].append(_ms(task.get("start_time")))
        columns["finished"].append(_ms(task.get("finish_time")))
        columns["up"].append(int(bool(task.get("up"))))
        columns["proplets"].append(proplets.setdefault(given, len(proplets)) if given else -1)
    return {"tasks": columns, "proplets": [*proplets]}


def _ms(time: str | None) -> int:
    at = formatting.when(time)
    return round(at.timestamp() * 1000) if at else 0
