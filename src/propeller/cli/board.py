"""The board of a live view: the latest news of the tasks of a workflow or job while it is followed.

The news has two sources: whole answers, and events. An event may be older than the answer that was read
before it; then it changes nothing.

There may be many tasks and many events. So an event costs work for one task only, and a drawing costs work
for the tasks that it shows.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from threading import Lock
from typing import Any

from propeller.cli import formatting
from propeller.cli.views import outcome
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED

#: Fields that an event leaves out where they are empty.
_FRESH = ("results", "results_encoding", "error", "reason", "attempt", "up")
#: States in the order in which people want to see them.
_FIRST = (
    FAILED,
    INTERRUPTED,
    RUNNING,
    SCHEDULED,
    PENDING,
)


class Board:
    """The latest news of tasks; one thread updates it, and another may draw it."""

    def __init__(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        self._lock = Lock()
        self._take(tasks)

    def _take(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        with self._lock:
            self.tasks = {task["id"]: dict(task) for task in tasks}
            self._places = {task_id: number for number, task_id in enumerate(self.tasks)}
            #: The ids of the tasks in each state, in the order in which they came into it.
            self._by_state: dict[int, dict[str, None]] = {}
            #: Tasks that have not ended.
            self._open: set[str] = set()
            for task_id, task in self.tasks.items():
                self._by_state.setdefault(task["state"], {})[task_id] = None
                self._note(task)
            self._began = self._first_start()

    def _note(self, task: Mapping[str, Any]) -> None:
        if formatting.has_ended(task["state"]) or task.get("up"):
            self._open.discard(task["id"])
        else:
            self._open.add(task["id"])

    def _first_start(self) -> str:
        starts = [task["start_time"] for task in self.tasks.values() if formatting.when(task["start_time"])]
        return min(starts, key=_order, default="")

    @property
    def has_ended(self) -> bool:
        """True if each task has ended, or is up until it is stopped."""
        return not self._open

    @property
    def has_succeeded(self) -> bool:
        return all(task["state"] in (COMPLETED, SKIPPED) or task.get("up") for task in self.tasks.values())

    def take_answer(self, tasks: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take in a whole answer, and return the ids of the tasks that changed their state."""
        news = {task["id"]: dict(task) for task in tasks}
        changed = [
            task_id
            for task_id, task in news.items()
            if task_id not in self.tasks or self.tasks[task_id]["state"] != task["state"]
        ]
        self._take(news.values())
        return changed

    def agrees_with(self, counts: Mapping[str, int]) -> bool:
        """Say whether the board has this many tasks in each state, by its name in small letters."""
        known = {formatting.state_name(state).lower(): len(ids) for state, ids in self._by_state.items()}
        return all(known.get(name, 0) == count for name, count in counts.items())

    def take_event(self, event: Mapping[str, Any]) -> list[str]:
        """Take in an event, and return the id of its task unless it is old news."""
        task = self.tasks.get(event["task_id"])
        if task is None or _order(event["time"]) < _order(task["updated_at"]):
            return []
        before = task["state"]
        is_new = before != event["state"]
        for name in _FRESH:
            task.pop(name, None)
        task |= {name: event[name] for name in (*_FRESH, "state", "proplet_id") if name in event}
        task["updated_at"] = event["time"]
        if event["state"] == RUNNING:
            task |= {"start_time": event["time"], "finish_time": ""}
            self._began = min(self._began or event["time"], event["time"], key=_order)
        elif not formatting.has_ended(event["state"]):
            task |= {"start_time": "", "finish_time": ""}
        elif formatting.when(task["start_time"]):
            task["finish_time"] = event["time"]
        self._note(task)
        if is_new:
            with self._lock:
                del self._by_state[before][task["id"]]
                self._by_state.setdefault(task["state"], {})[task["id"]] = None
        return [event["task_id"]] if is_new else []

    def busiest(self, count: int) -> list[Mapping[str, Any]]:
        """Choose up to ``count`` tasks that people want to see first; they keep their order."""
        found: list[str] = []
        with self._lock:
            for state in (*_FIRST, *(self._by_state.keys() - set(_FIRST))):
                found += islice(self._by_state.get(state, ()), max(count - len(found), 0))
        return [self.tasks[task_id] for task_id in sorted(found, key=self._places.__getitem__)]

    def line(self, task_id: str) -> str:
        """Write the name, the state and the outcome of a task on one line."""
        task = self.tasks[task_id]
        said = outcome(task, 500)
        shown = f"{formatting.one_line(task_id, 255)}: {formatting.state_name(task['state'])}"
        return f"{shown}: {said}" if said else shown

    def summary(self) -> str:
        """Say how many tasks are in each state, and how long all of them have taken."""
        counts = [len(self._by_state.get(state, ())) for state in range(len(formatting.STATES))]
        named = zip(counts, formatting.STATES, strict=True)
        shown = ", ".join(f"{count} {name.lower()}" for count, name in named if count)
        if not self.has_ended:
            return f"{shown} in {formatting.took(self._began, None)}" if self._began else shown
        began = self._first_start()
        ends = [task["finish_time"] for task in self.tasks.values() if formatting.when(task["finish_time"])]
        return f"{shown} in {formatting.took(began, max(ends, key=_order, default=None))}" if began else shown


def _order(time: str) -> str:
    """Make times of the API comparable as text: they come with different numbers of digits."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:<09}"
