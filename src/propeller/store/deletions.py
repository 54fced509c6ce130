"""Notices of what a commit has deleted, for other managers: their followers can't see all of it in the store.

That a record is not there can be seen. That a task was deleted out of a workflow or job that stays can not,
so such tasks are named; and where a group goes, its tasks need not be.
"""

from collections.abc import Iterable, Iterator

import msgspec

from propeller.core.effects import Changes
from propeller.core.model import GroupKind, Task
from propeller.store.port import Gone, Record

#: A notice of PostgreSQL has less than 8,000 bytes.
_NOTICE_BYTES_MAX = 7_900

_from_json = msgspec.json.Decoder(list[tuple[Record, Record | None]]).decode


def notices(changes: Changes) -> Iterator[str]:
    """Put what a commit deletes into texts of bounded length."""
    parts: list[bytes] = []
    size = 0
    for gone in _gone(changes):
        part = msgspec.json.encode(gone)
        if parts and size + len(part) > _NOTICE_BYTES_MAX:
            yield _text(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield _text(parts)


def read_notice(text: str) -> list[Gone]:
    return [Gone(*gone) for gone in _from_json(text)]


def _text(parts: Iterable[bytes]) -> str:
    return f"[{b','.join(parts).decode()}]"


def _gone(changes: Changes) -> Iterator[Gone]:
    groups = {
        Record("workflow" if group.kind is GroupKind.WORKFLOW else "job", group.id)
        for group in changes.deleted_groups
    }
    yield from map(Gone, groups)
    for task in changes.deleted:
        group = _group_of(task)
        if group not in groups:
            yield Gone(Record("task", task.id), group)


def _group_of(task: Task) -> Record | None:
    if not task.spec.group_id:
        return None
    return Record("workflow" if task.spec.workflow_id else "job", task.spec.group_id)
