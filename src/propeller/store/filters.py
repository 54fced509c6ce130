"""What the filters of lists say in SQL, for every database; a question mark stands for each value."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from propeller.store.port import GroupFilter, Sought, TaskFilter

#: No text is larger that begins with another and goes on with this.
_LAST_CHAR = "\U0010ffff"


class Conditions:
    """Conditions that must all hold, with the values of their question marks."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.values: list[Any] = []

    def add(self, text: str, *values: Any) -> None:
        self._texts.append(text)
        self.values += values

    @property
    def text(self) -> str:
        return " AND ".join(self._texts) or "TRUE"

    @property
    def where(self) -> str:
        """The part of a query that has them, or nothing."""
        return f"WHERE {self.text}" if self._texts else ""


class Dialect(NamedTuple):
    """In what the databases differ."""

    #: The name of a task ``t``.
    task_name: str
    #: How a query is made to go along the index of the tasks that have not ended, if that has to be said.
    by_live: str
    #: The table that has a key of metadata and its value as text.
    metadata_table: Callable[[str, str], str]
    #: Say that an id begins with a text, or a name contains it, in whatever case: both are SQL.
    called: Callable[[str, str, str], tuple[str, list[Any]]]


def has_prefix(column: str, prefix: str) -> tuple[str, list[Any]]:
    """Say that an id begins so, in a way that an index leads to it."""
    return f"{column} >= ? AND {column} <= ?", [prefix, prefix + _LAST_CHAR]


def among(column: str, values: Sequence[str]) -> str:
    """Say that a column has one of some values, each with its question mark."""
    if len(values) == 1:
        return f"{column} = ?"  # so that an index has the order too
    return f"{column} IN ({', '.join('?' * len(values))})" if values else "FALSE"


def of_tasks(dialect: Dialect, only: TaskFilter) -> Conditions:
    """Say what a task ``t`` must be like."""
    found = Conditions()
    _add_owner(found, only)
    _add_record(found, "t", only)
    if only.state is not None:
        # Said twice where an index has only such: SQLite does not conclude the one from the other.
        is_live = "" if only.state.has_ended else " AND state < 3"
        found.add(f"t.seq IN (SELECT seq FROM runs WHERE state = {int(only.state)}{is_live})")  # noqa: S608
    if only.name:
        found.add(f"{dialect.task_name} = ?", only.name)
    for key, value in only.metadata.items():
        table = dialect.metadata_table(key, value)
        found.add(f"t.seq IN (SELECT seq FROM {table} WHERE key = ? AND value = ?)", key, value)  # noqa: S608
    return found


def of_search(dialect: Dialect, sought: Sought, *more: str) -> Conditions:
    """Say what a task ``t`` with its run ``r`` must be like but for the text, the cheap conditions first."""
    only = sought.only
    found = Conditions()
    _add_record(found, "t", only)
    _add_owner(found, only)
    if only.state is not None:
        found.add(f"r.state = {int(only.state)}")
    if sought.proplet_id:
        # That of the last attempt, or of one of the executions of a broadcast.
        found.add(
            "(r.proplet_id = ? OR (r.proplet_id = '' "
            "AND EXISTS (SELECT 1 FROM executions e WHERE e.seq = r.seq AND e.proplet_id = ?)))",
            sought.proplet_id,
            sought.proplet_id,
        )
    for condition in more:
        found.add(condition)
    for key, value in only.metadata.items():
        table = dialect.metadata_table(key, value)
        found.add(f"EXISTS (SELECT 1 FROM {table} WHERE key = ? AND value = ? AND seq = t.seq)", key, value)  # noqa: S608
    if only.name:
        found.add(f"{dialect.task_name} = ?", only.name)
    return found


def of_groups(dialect: Dialect, only: GroupFilter) -> Conditions:
    """Say what a group ``g`` must be like, but for its kind and state."""
    found = Conditions()
    _add_record(found, "g", only)
    if only.name:
        found.add("g.name = ?", only.name)
    if only.text:
        text, values = dialect.called("g.id", "g.name", only.text)
        found.add(text, *values)
    if only.until:
        found.add("g.created_at < ?", only.until)
    if only.has_ended is not None:
        found.add("g.live = 0" if only.has_ended else "g.live > 0")
    for label in only.labels:
        if label.value is None:
            found.add("g.seq IN (SELECT seq FROM group_labels WHERE key = ?)", label.key)
        else:
            found.add("g.seq IN (SELECT seq FROM group_labels WHERE key = ? AND value = ?)", *label)
    return found


def _add_owner(found: Conditions, only: TaskFilter) -> None:
    if only.workflow_id:
        found.add("t.workflow_id = ?", only.workflow_id)
    if only.job_id:
        found.add("t.job_id = ?", only.job_id)


def _add_record(found: Conditions, table: str, only: TaskFilter | GroupFilter) -> None:
    if only.id_prefix:
        text, values = has_prefix(f"{table}.id", only.id_prefix)
        found.add(text, *values)
    if only.since:
        found.add(f"{table}.created_at >= ?", only.since)
    if only.namespaces is not None:
        found.add(among(f"{table}.namespace", only.namespaces), *only.namespaces)
    if only.created_by:
        # Said twice, because the index has only those of whom the creator is known.
        found.add(f"{table}.created_by = ? AND {table}.created_by <> ''", only.created_by)
