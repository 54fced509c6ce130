"""Turns records into rows and back: the one place that knows the columns."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from propeller.core.causes import UNKNOWN
from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind, Failure
from propeller.core.groups import UP, group_state
from propeller.core.idempotency import Key, Remembered
from propeller.core.model import (
    Definition,
    Execution,
    Group,
    GroupKind,
    GroupTiming,
    JobMode,
    Proplet,
    Spec,
    Task,
    Timing,
)
from propeller.core.ran import Ran
from propeller.core.reasons import AnyReason
from propeller.core.results import from_json, to_json
from propeller.core.states import TaskState
from propeller.store import limits

Row = tuple[Any, ...]

TASK_COLUMNS = (
    "t.seq, t.created_at, t.spec, r.state, r.attempt, r.losses, r.proplet_id, r.placed_at, r.started_at, "
    "r.finished_at, r.updated_at, r.results, r.results_encoding, r.error, r.error_kind, "
    "r.exit_code, r.reason, r.was_up, r.restarts, r.is_up, r.timing, r.ran"
)
GROUP_COLUMNS = (
    "g.id, g.kind, g.seq, g.created_at, g.name, g.mode, g.counts, g.fail_fast, g.started_at, g.finished_at, "
    "g.definition, g.timing"
)
REMEMBERED_COLUMNS = "key, fingerprint, created_at, task_ids"
PROPLET_COLUMNS = "id, name, is_local, boot, is_cordoned, drain_by, metadata, created_at"
EVENT_COLUMNS = "first_id, transitions, task_seq"
EXECUTION_COLUMNS = (
    "proplet_id, attempt, state, results, results_encoding, error, error_kind, exit_code, started_at, "
    "finished_at, ran"
)

_STATES = tuple(TaskState)
_PLAIN = Definition()
_encode = msgspec.json.Encoder().encode
_decode_spec = msgspec.json.Decoder(Spec).decode
_decode_counts = msgspec.json.Decoder(list[int]).decode
_decode_reason = msgspec.json.Decoder(AnyReason).decode
_decode_timing = msgspec.json.Decoder(Timing).decode
_decode_ran = msgspec.json.Decoder(Ran).decode
_decode_definition = msgspec.json.Decoder(Definition).decode
_decode_group_timing = msgspec.json.Decoder(GroupTiming).decode
_decode_ids = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_any = msgspec.json.Decoder().decode
_decode_transitions = msgspec.json.Decoder(list[Transition]).decode
_decode_transition = msgspec.json.Decoder(Transition).decode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _text(value: Any) -> str:
    return _encode(value).decode()


def task_row(task: Task) -> Row:
    spec = task.spec
    return (
        task.seq,
        spec.id,
        spec.workflow_id or None,
        spec.job_id or None,
        task.created_at,
        _text(spec),
        spec.namespace,
        spec.created_by,
    )


def spec_row(task: Task) -> Row:
    return _text(task.spec), task.seq


def run_row(task: Task) -> Row:
    """Make the row of ``runs``, with ``seq`` last, for an insert or an update."""
    return (
        int(task.state),
        task.attempt,
        task.losses,
        task.proplet_id,
        task.placed_at,
        task.started_at,
        task.finished_at,
        task.updated_at,
        *_results_row(task.results),
        *_failure_row(task.failure),
        _text(task.reason) if task.reason else "",
        int(task.was_up),
        task.restarts,
        int(task.is_up),
        _text(task.timing) if task.timing else "",
        _text(task.ran) if task.ran else "",
        task.seq,
    )


def to_task(row: Row) -> Task:
    return Task(
        seq=row[0],
        created_at=row[1],
        spec=_decode_spec(row[2]),
        state=_STATES[row[3]],
        attempt=row[4],
        losses=row[5],
        proplet_id=row[6],
        placed_at=row[7],
        started_at=row[8],
        finished_at=row[9],
        updated_at=row[10],
        results=None if row[11] is None else _to_results(row[11], row[12]),
        failure=_to_failure(row[13], row[14], row[15]) if row[13] else None,
        reason=_decode_reason(row[16]) if row[16] else None,
        was_up=bool(row[17]),
        restarts=row[18],
        is_up=bool(row[19]),
        timing=_decode_timing(row[20]) if row[20] else None,
        ran=_decode_ran(row[21]) if row[21] else None,
    )


def _results_row(results: Any) -> tuple[str | None, str]:
    value, encoding = to_json(results)
    return (None if value is None else _text(value)), encoding


def _to_results(text: str | None, encoding: str) -> Any:
    return None if text is None else from_json(_decode_any(text), encoding)


def _failure_row(failure: Failure | None) -> tuple[str, str, int]:
    return (failure.error, str(failure.kind), failure.exit_code) if failure else ("", "", 0)


def _to_failure(error: str, kind: str, exit_code: int) -> Failure | None:
    return Failure(error, ErrorKind.of(kind), exit_code) if error else None


def group_row(group: Group) -> Row:
    return (
        group.seq,
        group.id,
        str(group.kind),
        group.name,
        None if group.mode is None else str(group.mode),
        int(group_state(group.counts)),
        sum(group.counts[:3]),
        _text(group.counts),
        group.created_at,
        int(group.fail_fast),
        group.started_at,
        group.finished_at,
        "" if group.definition == _PLAIN else _text(group.definition),
        _text(group.timing) if group.timing else "",
        group.definition.namespace,
        group.definition.created_by,
    )


def to_group(row: Row) -> Group:
    return Group(
        id=row[0],
        kind=GroupKind(row[1]),
        seq=row[2],
        created_at=row[3],
        name=row[4],
        mode=None if row[5] is None else JobMode(row[5]),
        counts=_counts(row[6]),
        fail_fast=bool(row[7]),
        started_at=row[8],
        finished_at=row[9],
        definition=_decode_definition(row[10]) if row[10] else _PLAIN,
        timing=_decode_group_timing(row[11]) if row[11] else None,
    )


def _counts(text: str) -> list[int]:
    counts = _decode_counts(text)
    return counts + [0] * (UP + 1 - len(counts))  # groups of earlier versions had none that were up


def proplet_row(proplet: Proplet) -> Row:
    return (
        proplet.id,
        proplet.name,
        int(proplet.is_local),
        proplet.boot,
        int(proplet.is_cordoned),
        proplet.drain_by,
        _text(proplet.metadata),
        proplet.created_at,
    )


def to_proplet(row: Row) -> Proplet:
    return Proplet(
        id=row[0],
        name=row[1],
        is_local=bool(row[2]),
        boot=row[3],
        is_cordoned=bool(row[4]),
        drain_by=row[5],
        metadata=_decode_any(row[6]),
        created_at=row[7],
    )


def execution_row(task: Task, execution: Execution) -> Row:
    return (
        task.seq,
        execution.proplet_id,
        execution.attempt,
        int(execution.state),
        *_results_row(execution.results),
        *_failure_row(execution.failure),
        execution.started_at,
        execution.finished_at,
        _text(execution.ran) if execution.ran else "",
    )


def to_execution(row: Row) -> Execution:
    return Execution(
        proplet_id=row[0],
        attempt=row[1],
        state=_STATES[row[2]],
        results=_to_results(row[3], row[4]),
        failure=_to_failure(row[5], row[6], row[7]),
        started_at=row[8],
        finished_at=row[9],
        ran=_decode_ran(row[10]) if row[10] else None,
    )


def event_rows(first_id: int, transitions: list[Transition], task_seq: int) -> list[Row]:
    """Make the rows of the changes of state of a commit; ``task_seq`` is that of the newest task."""
    size = limits.EVENTS_IN_ROW
    return [
        event_row(first_id + start, transitions[start : start + size], task_seq)
        for start in range(0, len(transitions), size)
    ]


def event_row(first_id: int, transitions: list[Transition], task_seq: int) -> Row:
    """Make a row of changes of state that follow one another."""
    return first_id + len(transitions) - 1, first_id, _text(transitions), task_seq


def to_events(rows: Iterable[Row]) -> list[tuple[int, Transition]]:
    return [
        (first_id + number, transition)
        for first_id, transitions, task_seq in rows
        for number, transition in enumerate(_to_transitions(transitions, task_seq))
    ]


def to_events_with(row: Row, text: str) -> Iterator[tuple[int, Transition]]:
    """Make those events of a row whose JSON has this text, without a look into the others."""
    first_id, transitions, task_seq = row
    sought = text.encode()
    for number, raw in enumerate(_split(transitions)):
        if sought in bytes(raw):
            yield first_id + number, _of_version(_decode_transition(raw), task_seq)


def remembered_row(one: Remembered) -> Row:
    return one.key.text, one.key.fingerprint, one.at, _text(one.task_ids)


def to_remembered(row: Row) -> Remembered:
    text, fingerprint, at, task_ids = row
    return Remembered(Key(text, fingerprint), at, _decode_ids(task_ids))


def _to_transitions(text: str, task_seq: int | None) -> list[Transition]:
    found = _decode_transitions(text)
    return found if task_seq is not None else [_of_version(transition, task_seq) for transition in found]


def _of_version(transition: Transition, task_seq: int | None) -> Transition:
    """Say that the cause is not known in a row of an earlier version, which names no task."""
    return transition if task_seq is not None else msgspec.structs.replace(transition, cause=UNKNOWN)


class _At(msgspec.Struct):
    at: int


_decode_times = msgspec.json.Decoder(list[_At]).decode


def time_of_events(text: str) -> int:
    """Give the time of the changes of state of one commit, ns since the epoch."""
    return _decode_times(text)[0].at
