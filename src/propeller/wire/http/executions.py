"""Executions and attempts of tasks in the JSON of the HTTP API; both are extensions."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.failures import ErrorKind
from propeller.core.model import Execution
from propeller.core.results import to_json
from propeller.wire.http.schema import ResultsEncoding, State, Time
from propeller.wire.rfc3339 import format_time


class ExecutionView(msgspec.Struct, kw_only=True):
    """One execution of a task, on one proplet."""

    proplet_id: str
    attempt: int
    state: State
    results: Any | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_kind: ErrorKind | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    start_time: Time
    finish_time: Time
    results_encoding: ResultsEncoding | UnsetType = UNSET


class AttemptsView(msgspec.Struct, kw_only=True):
    total: int
    attempts: list[ExecutionView]


class ExecutionsView(msgspec.Struct, kw_only=True):
    total: int
    executions: list[ExecutionView]


def execution_view(execution: Execution) -> ExecutionView:
    results, encoding = to_json(execution.results)
    return ExecutionView(
        proplet_id=execution.proplet_id,
        attempt=execution.attempt,
        state=execution.state,
        results=UNSET if results is None else results,
        error=execution.error or UNSET,
        error_kind=execution.failure.kind if execution.failure else UNSET,
        exit_code=(execution.failure.exit_code if execution.failure else 0) or UNSET,
        start_time=format_time(execution.started_at),
        finish_time=format_time(execution.finished_at),
        results_encoding=encoding or UNSET,
    )
