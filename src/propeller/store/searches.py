"""Searches among all tasks, in the order of their creation, piece by piece; a store runs the pieces.

There is no index for a part of a name, which each task would have to pay for. A search passes over the tasks
that an index leads to, if one does, or else over all of them. One that takes long stops where it is, and goes
on from there when it is asked for more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from propeller.store import filters, limits
from propeller.store.filters import Conditions, Dialect, has_prefix
from propeller.store.port import FoundTasks, Sought, TaskCursor

_SEQ_MAX = 2**63 - 1


class Passed(NamedTuple):
    """What a piece of a search has passed over, and what it has found there."""

    #: How many tasks, with the lowest and highest ``seq`` of them; None where there were none.
    size: int
    low: int | None
    high: int | None
    #: The ``seq`` of those that fit, in order, up to as many as there was room for.
    found: list[int]


class TaskSearch:
    """How far a search is, and what it looks for next."""

    def __init__(
        self,
        dialect: Dialect,
        only: Sought,
        limit: int,
        *,
        newest_first: bool = False,
        after: TaskCursor | None = None,
    ) -> None:
        """Take what is searched for, how many to find, and where the search before this one stopped."""
        self._dialect = dialect
        self._only = only
        self._limit = limit
        self.order, self._further = ("DESC", "<") if newest_first else ("ASC", ">")
        #: What was found, by ``seq``.
        self.found: list[int] = []
        self._is_first = after is None
        self._seq = after.seq if after is not None else _SEQ_MAX if newest_first else 0
        self._has_ids = after is not None and after.has_ids
        #: How many tasks the next piece passes over.
        self.count = limits.SEARCH_FIRST_PIECE
        self._has_more = True

    @property
    def room(self) -> int:
        return self._limit - len(self.found)

    def first_prefixes(self) -> list[str]:
        """Say how ids begin that come before all others, if these are no more than there is room for."""
        return self._prefixes if self._is_first else []

    def take_ids(self, seqs: list[int] | None) -> None:
        """Take in those of them that fit, in order; None if they do not come before all others."""
        self._is_first = False
        if seqs is not None:
            self.found = seqs
            self._has_ids = True

    def source(self) -> tuple[str, list[Any]]:
        """Say which tasks are passed over: those that an index leads to, from the present place on."""
        only = self._only.only
        further = f"AND seq {self._further} ?"
        for column in ("workflow_id", "job_id"):
            if group_id := getattr(only, column):
                return f"SELECT seq FROM tasks WHERE {column} = ? {further}", [group_id, self._seq]  # noqa: S608
        if only.state is not None and not only.state.has_ended:
            live = f"SELECT seq FROM runs {self._dialect.by_live} WHERE state < 3 {further}"  # noqa: S608
            return live, [self._seq]
        for key, value in only.metadata.items():
            if self._dialect.metadata_table(key, value) == "task_metadata":
                having = "SELECT seq FROM task_metadata WHERE key = ? AND value = ?"
                return f"{having} {further}", [key, value, self._seq]
        if only.created_by:
            mine = "SELECT seq FROM tasks WHERE created_by = ? AND created_by <> ''"
            return f"{mine} {further}", [only.created_by, self._seq]
        if only.namespaces is not None and len(only.namespaces) == 1:
            return f"SELECT seq FROM tasks WHERE namespace = ? {further}", [*only.namespaces, self._seq]  # noqa: S608
        return f"SELECT seq FROM runs WHERE seq {self._further} ?", [self._seq]  # noqa: S608

    def conditions(self, *more: str) -> Conditions:
        """Say what a task ``t`` with its run ``r`` must be like, the dear conditions last."""
        found = filters.of_search(self._dialect, self._only, *more)
        if self._has_ids:
            for prefix in self._prefixes:
                text, values = has_prefix("t.id", prefix)
                found.add(f"NOT ({text})", *values)
        if self._only.text:
            text, values = self._dialect.called("t.id", self._dialect.task_name, self._only.text)
            found.add(text, *values)
        return found

    def take(self, passed: Passed, took_s: float) -> bool:
        """Take in what a piece has found; say whether more has to be searched."""
        is_full = len(passed.found) == self.room
        self.found += passed.found
        end = passed.low if self.order == "DESC" else passed.high
        self._has_more = passed.size == self.count or (is_full and passed.found[-1] != end)
        if end is not None:
            self._seq = passed.found[-1] if is_full else end
        is_quick = took_s < limits.SEARCH_PIECE_S
        self.count = self.count * 2 if is_quick else max(self.count // 2, 1)
        return self._has_more and not is_full

    @property
    def next(self) -> TaskCursor | None:
        """Where the search goes on; None if all has been looked at."""
        return TaskCursor(self._seq, has_ids=self._has_ids) if self._has_more else None

    @property
    def _prefixes(self) -> list[str]:
        text = self._only.text
        return list(dict.fromkeys((text, text.lower()))) if text else []


class Pieces(Protocol):
    """A search whose methods are queries of one database."""

    @property
    def piece(self) -> Callable[..., Any]:
        """Searches on, and says whether more has to be searched."""

    @property
    def page(self) -> Callable[..., Any]:
        """Reads what was found."""


async def searched(search: Pieces, read: Callable[..., Awaitable[Any]], turn: asyncio.Lock) -> FoundTasks:
    """Run a search until it is done or has taken long; each piece waits for its turn among other searches."""
    until = time.perf_counter() + limits.SEARCH_S
    while True:
        async with turn:
            is_left = await read(search.piece)
        if not is_left or time.perf_counter() > until:
            page: FoundTasks = await read(search.page)
            return page
