"""What is known of the tasks of a workflow or a job while it is followed.

Two sources tell of them: whole answers, and events. An event may be older than the answer that was read
before it, so what is older than what is known changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from propeller.cli import words
from propeller.cli.views import outcome

#: What an event leaves out where it has none.
_FRESH = ("results", "error", "reason", "attempt", "up")


class Board:
    def __init__(self, tasks: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> None:
        self.tasks = {task["id"]: dict(task) for task in tasks}
        #: From a task's id to what people call it.
        self.names = names

    def name_of(self, task_id: str) -> str:
        return words.one_line(self.names.get(task_id, task_id))

    @property
    def has_ended(self) -> bool:
        """Whether nothing is to come but the ends of what serves until it is stopped."""
        return all(words.has_ended(task["state"]) or task.get("up") for task in self.tasks.values())

    @property
    def has_succeeded(self) -> bool:
        return all(
            task["state"] in (words.COMPLETED, words.SKIPPED) or task.get("up")
            for task in self.tasks.values()
        )

    def take_answer(self, tasks: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take in a whole answer, and return the ids of the tasks that changed their state."""
        news = {task["id"]: dict(task) for task in tasks}
        changed = [
            task_id
            for task_id, task in news.items()
            if task_id not in self.tasks or self.tasks[task_id]["state"] != task["state"]
        ]
        self.tasks = news
        return changed

    def take_event(self, event: Mapping[str, Any]) -> list[str]:
        """Take in an event, and return the id of its task unless it is old news."""
        task = self.tasks.get(event["task_id"])
        if task is None or _order(event["time"]) < _order(task["updated_at"]):
            return []
        is_new = task["state"] != event["state"]
        for name in _FRESH:
            task.pop(name, None)
        task |= {name: event[name] for name in (*_FRESH, "state", "proplet_id") if name in event}
        task["updated_at"] = event["time"]
        if event["state"] == words.RUNNING:
            task |= {"start_time": event["time"], "finish_time": ""}
        elif not words.has_ended(event["state"]):
            task |= {"start_time": "", "finish_time": ""}
        elif words.when(task["start_time"]):
            task["finish_time"] = event["time"]
        return [event["task_id"]] if is_new else []

    def line(self, task_id: str) -> str:
        """Say on one line what a task has come to."""
        task = self.tasks[task_id]
        said = outcome(task, 500)
        return f"{self.name_of(task_id)}: {words.state_name(task['state'])}" + (f": {said}" if said else "")

    def summary(self) -> str:
        """How many tasks are in which state, and how long they have taken together."""
        counts = Counter(words.state_name(task["state"]) for task in self.tasks.values())
        shown = ", ".join(f"{counts[name]} {name.lower()}" for name in words.STATES if counts[name])
        starts = [task["start_time"] for task in self.tasks.values() if words.when(task["start_time"])]
        ends = [task["finish_time"] for task in self.tasks.values() if words.when(task["finish_time"])]
        if not starts:
            return shown
        return f"{shown} in {words.took(min(starts), max(ends) if self.has_ended and ends else None)}"


def _order(time: str) -> str:
    """Make times of the API comparable: they have as many digits as they need."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return f"{whole}.{fraction:<09}"
