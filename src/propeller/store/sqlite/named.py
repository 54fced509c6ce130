"""Finds ids that begin with a text, and names that have it, in whatever case, without a look at all records.

The ids are found along their index, for each way in which they are written. Of names there is an index too:
where records have only some hundred different ones, each of these is looked at.
"""

import sqlite3
from typing import Any, Literal

from propeller.core.model import GroupKind
from propeller.store import limits
from propeller.store.filters import has_prefix

#: More ways to write the begin of an id in large and small letters are not looked for.
_CASES_MAX = 64
_NAMES = """
WITH RECURSIVE names (name) AS (
  SELECT * FROM (SELECT {name} FROM {source} ORDER BY {name} LIMIT 1)
  UNION ALL
  SELECT (SELECT {name} FROM {source} AND {name} > names.name ORDER BY {name} LIMIT 1)
  FROM names WHERE names.name IS NOT NULL LIMIT :most
) SELECT name FROM names WHERE name IS NOT NULL
"""
_OF_TASKS = _NAMES.format(name="name", source="tasks WHERE TRUE")
_OF_GROUPS = _NAMES.format(name="name", source="groups WHERE kind = :kind AND name <> ''")


def cases_of(db: sqlite3.Connection, table: Literal["tasks", "groups"], text: str) -> list[str] | None:
    """Find how ids are written that begin with a text in whatever case; None where that is not known."""
    if not text.isascii():
        return None
    found = [""]
    for char in text:
        longer = [begin + case for begin in found for case in sorted({char.lower(), char.upper()})]
        found = []
        for begin in longer:
            begins, values = has_prefix("id", begin)
            if db.execute(f"SELECT 1 FROM {table} WHERE {begins} LIMIT 1", values).fetchone():  # noqa: S608
                found.append(begin)
        if not found or len(found) > _CASES_MAX:
            break
    return None if len(found) > _CASES_MAX else found


def names_of_tasks(db: sqlite3.Connection, text: str) -> list[str] | None:
    """Find the names of tasks with a text, if tasks have few names, and few have the text; None if not."""
    return _with(db, _OF_TASKS, {}, text)


def _with(db: sqlite3.Connection, sql: str, values: dict[str, Any], text: str) -> list[str] | None:
    names = [row[0] for row in db.execute(sql, {**values, "most": limits.NAMES_LOOKED_AT_MAX + 1})]
    found = [name for name in names if text.lower().encode() in name.encode().lower()]
    few = len(names) <= limits.NAMES_LOOKED_AT_MAX and len(found) <= limits.NAMES_MERGED_MAX
    return found if few else None


def groups_with(db: sqlite3.Connection, kind: GroupKind, text: str) -> tuple[str, list[Any]] | None:
    """Give a query of the ``seq`` of the groups with a text; None if there are too many names."""
    cases = cases_of(db, "groups", text)
    names = None if cases is None else _with(db, _OF_GROUPS, {"kind": str(kind)}, text)
    if cases is None or names is None:
        return None
    marks = ", ".join("?" * len(names))
    parts = [f"SELECT seq FROM groups WHERE kind = ? AND name <> '' AND name IN ({marks})"]  # noqa: S608
    values: list[Any] = [str(kind), *names]
    for case in cases:
        begins, more = has_prefix("id", case)
        parts.append(f"SELECT seq FROM groups WHERE {begins}")  # noqa: S608
        values += more
    return " UNION ".join(parts), values
