"""Searches through the event log for what became of one task, workflow or job; a store runs their pieces.

There is no index by task, which each change of state would have to pay for. A search reads the log from the
creation of the task on, piece by piece, and leaves it to the database to pass over rows that do not name it.
"""

import msgspec

from propeller.core.effects import Transition
from propeller.store import rows
from propeller.store.port import EventFilter, EventPage

_COLUMNS = {"task_id": "id", "workflow_id": "workflow_id", "job_id": "job_id"}


class EventSearch:
    """How far a search is, and what it has found."""

    def __init__(self, only: EventFilter, after: int, limit: int) -> None:
        """Take what is searched for: one of the ids of ``only``, behind an event, and how many to find."""
        (self.field, self.id) = next((name, id_) for name, id_ in only._asdict().items() if id_)
        #: All up to the event with this id has been looked at.
        self.after = after
        self.has_more = True
        self._limit = limit
        self._found: list[tuple[int, Transition]] = []
        self.has_begun = False
        self._is_complete = False
        self._first_id = 1

    @property
    def column(self) -> str:
        """The column of ``tasks`` that has the id."""
        return _COLUMNS[self.field]

    @property
    def json_id(self) -> str:
        return msgspec.json.encode(self.id).decode()

    def begins(self, first_id: int, before: int) -> None:
        """Take in the first event of the log, and the last one before the creation of what it is about."""
        self.has_begun = True
        self._first_id = first_id
        self._is_complete = before > 0 or first_id == 1
        self.after = max(self.after, before)

    def take(self, row: rows.Row) -> bool:
        """Take in the events of a row; say whether there was room for all."""
        for event_id, move in rows.to_events_with(row, self.json_id):
            if event_id <= self.after or getattr(move, self.field) != self.id:
                continue
            if len(self._found) == self._limit:
                return False
            self._found.append((event_id, move))
            self.after = event_id
        return True

    def page(self) -> EventPage:
        return EventPage(
            events=self._found,
            first_id=self._first_id,
            next_after=self.after,
            has_more=self.has_more,
            is_complete=self._is_complete,
        )
