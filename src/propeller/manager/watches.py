"""Watches of records: who follows a task, a workflow or a job is told when it is deleted.

A deletion is no change of state, so the event log has none. It is told after its commit, in its place among
the events, and costs nothing where nobody watches.
"""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.manager.rounds import Turn
from propeller.store.port import Gone, Record, RecordKind


class Watch:
    """What one follower watches, and what it has not yet heard of that."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)
        #: That of the follower, once it follows.
        self.turn: Turn | None = None
        #: What the follower is to be told now.
        self._due: list[Gone] = []
        #: What it is to be told behind the event with this id.
        self._ahead: deque[tuple[int, Gone]] = deque()
        self._missing: set[Record] = set()

    @property
    def next_stop(self) -> int | None:
        """Give the id of the event behind which the follower is told something; None for none."""
        return self._ahead[0][0] if self._ahead else None

    def reached(self, position: int) -> bool:
        """Say whether the follower is to be told something behind the event with this id."""
        while self._ahead and self._ahead[0][0] <= position:
            self._due.append(self._ahead.popleft()[1])
        return bool(self._due)

    def take(self) -> list[Gone]:
        """Give what is due, once."""
        due, self._due = self._due, []
        return due

    def gone(self, position: int, gone: Gone) -> None:
        self._ahead.append((position, gone))
        self._missing.add(gone.record)

    def misses(self, position: int, record: Record) -> bool:
        """Take in that a record is not there; say whether the follower is to hear of it."""
        is_news = record not in self._missing
        if is_news:
            self.gone(position, Gone(record))
        return is_news

    def is_there(self, record: Record) -> None:
        self._missing.discard(record)


class Watches:
    """The watches of all followers."""

    def __init__(self) -> None:
        self._by_record: dict[Record, list[Watch]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_record)

    @property
    def records(self) -> list[Record]:
        return list(self._by_record)

    @contextlib.contextmanager
    def watching(self, records: Iterable[Record]) -> Iterator[Watch]:
        """Watch records until the block ends."""
        watch = Watch(records)
        for record in watch.records:
            self._by_record.setdefault(record, []).append(watch)
        try:
            yield watch
        finally:
            for record in watch.records:
                self._by_record[record].remove(watch)
                if not self._by_record[record]:
                    del self._by_record[record]

    def committed(self, position: int, changes: Changes) -> list[Watch]:
        """Tell of what a commit has deleted, behind its events; give the watches that are to hear it."""
        groups = {Record(_kind(group.kind), group.id) for group in changes.deleted_groups}
        news = [(record, Gone(record)) for record in groups]
        for task in changes.deleted:
            record = Record("task", task.id)
            news.append((record, Gone(record)))
            kind: RecordKind = "workflow" if task.spec.workflow_id else "job"
            group = Record(kind, task.spec.group_id)
            if group.id and group not in groups:
                news.append((group, Gone(record, group)))
        found = [(watch, gone) for record, gone in news for watch in self._by_record.get(record, ())]
        for watch, gone in found:
            watch.gone(position, gone)
        return [watch for watch, _ in found]

    def told(self, position: int, deleted: Iterable[Gone]) -> list[Watch]:
        """Tell of what another manager has deleted; give the watches that are to hear it."""
        found = []
        for gone in deleted:
            found += self._missed(position, gone.record)
            for watch in self._by_record.get(gone.within, ()) if gone.within is not None else ():
                watch.gone(position, gone)
                found.append(watch)
        return found

    def look(self, position: int, looked_for: Iterable[Record], missing: set[Record]) -> list[Watch]:
        """Compare with those of the records that are not there; give the watches that are to hear of it."""
        found = []
        for record in looked_for:
            if record in missing:
                found += self._missed(position, record)
            else:
                for watch in self._by_record.get(record, ()):
                    watch.is_there(record)
        return found

    def _missed(self, position: int, record: Record) -> list[Watch]:
        return [watch for watch in self._by_record.get(record, ()) if watch.misses(position, record)]


def _kind(kind: GroupKind) -> RecordKind:
    return "workflow" if kind is GroupKind.WORKFLOW else "job"
