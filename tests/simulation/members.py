"""The tasks of each group, as they were committed last, in order."""

from collections.abc import Iterable
from operator import attrgetter

from propeller.core.model import Task

_seq = attrgetter("seq")


class Members(dict[str, list[Task]]):
    """Lists of tasks by the id of their group; a list is replaced and never changed."""

    def __init__(self, tasks: Iterable[Task] = ()):
        super().__init__()
        self._by_seq: dict[str, dict[int, Task]] = {}
        self.follow(tasks, ())

    def of(self, group_id: str) -> list[Task]:
        return self.get(group_id, [])

    def follow(self, kept: Iterable[Task], deleted: Iterable[Task]) -> None:
        """Take in that some tasks are gone, and that others are new or are as they are given here."""
        groups = set()
        for task in deleted:
            if group_id := task.spec.group_id:
                self._by_seq.get(group_id, {}).pop(task.seq, None)
                groups.add(group_id)
        for task in kept:
            if group_id := task.spec.group_id:
                self._by_seq.setdefault(group_id, {})[task.seq] = task
                groups.add(group_id)
        for group_id in groups:
            self[group_id] = sorted(self._by_seq.get(group_id, {}).values(), key=_seq)
