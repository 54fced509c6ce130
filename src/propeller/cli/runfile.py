"""Files with a workflow or a job to run, in YAML or JSON.

Ids in a file are local to it: each run gives its tasks ids of their own, so the same file can be run twice.
A module is a path beside the file, given once for all tasks or for each. All other fields of a task are the
API's. A workflow inside of a task is written in the same way; the ids of its tasks hold inside of it only.
Every message names the file with line and column, the task and the field.
"""

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from propeller.cli.modules import INLINE_CHARS_MAX, default_export, read_module
from propeller.cli.options import stdin_of
from propeller.cli.source_file import SourceFile
from propeller.core.conditions import check_written, is_expression
from propeller.core.expressions.compiler import compiled, with_other_names
from propeller.core.graph import resolve_dependencies
from propeller.core.model import Spec
from propeller.errors import Invalid
from propeller.wire.http.schedules import ScheduleOptionsField
from propeller.wire.http.tasks import NewTask, OwnedFields
from propeller.wire.http.timing import DefaultsField
from propeller.wire.validation import OTHER_INPUTS, input_of, problem_of

_T = TypeVar("_T")
_LOCAL_ID = re.compile(r"[^/\x00-\x1f\x7f-\x9f]{1,200}")
_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "array": "list"}
#: ``${id}``, but not ``$${id}``.
_REFERENCE = re.compile(r"(?<!\$)\$\{([^{}]*)\}")
#: Fields that the file has and the API has not.
_LOCAL = ("module", "stdin_file")
#: Fields of the whole that go to the API as they are.
_OF_THE_WHOLE = (
    "timeout",
    "defaults",
    "labels",
    "max_parallel",
    "fail_fast",
    "schedule",
    "timezone",
    "is_recurring",
    "schedule_options",
)
_QUOTED = ("int", "float", "bool")
_WHERE = ("in this workflow", "in this file")


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tasks: list[dict[str, Any]] = []
    name: str | None = None
    execution_mode: str | None = None
    fail_fast: bool | None = None
    timeout: str | float | None = None
    defaults: DefaultsField | None = None
    schedule: str | None = None
    timezone: str | None = None
    is_recurring: bool | None = None
    schedule_options: ScheduleOptionsField | None = None
    labels: dict[str, str] | None = None
    max_parallel: int | None = None
    module: str | None = None


class _FileWorkflow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The workflow that a task runs; fields that are the API's alone are checked as such."""

    id: str | None = None
    name: str | None = None
    tasks: list[dict[str, Any]] = []
    timeout: str | float | None = None
    defaults: DefaultsField | None = None
    max_parallel: int | None = None
    fail_fast: bool | None = None
    module: str | None = None


class _FileTask(NewTask, kw_only=True):
    module: str | None = None
    stdin_file: str | None = None
    workflow: _FileWorkflow | None = None  # type: ignore[assignment]


@dataclass
class Plan:
    """The content of a file, as the API takes it."""

    name: str
    execution_mode: str
    #: What else the file says of the whole, under the names that the API has for it.
    fields: dict[str, Any]
    #: The tasks, with ids of this run, and with their modules unless these are too large.
    tasks: list[dict[str, Any]]
    #: Modules that are not in ``tasks``, by task id.
    uploads: dict[str, bytes]

    def take(self, fields: Mapping[str, Any]) -> None:
        """Take in what flags say of the whole; it goes before what the file says, label by label."""
        labels = self.fields.get("labels", {}) | fields.get("labels", {})
        self.fields |= {**fields, **({"labels": labels} if labels else {})}


def read_run_file(path: Path, module: Path | None = None, *, makes_uuids: bool = False) -> Plan:
    """Read a file.

    Args:
        path: The path of the file.
        module: Replaces the module that the file names at its top.
        makes_uuids: True if task ids have to be UUIDs: a manager that only knows the contract may start no
            other tasks.

    Raises:
        Invalid: The file is wrong; the message says where.

    """
    source = SourceFile(path)
    content = _shaped(source, source.content, _File, "")
    if not content.tasks:
        raise source.wrong("tasks", "a list with at least one task is needed")
    if module is None and content.module:
        module = path.parent / content.module
    modules = _Modules(source)
    ready = _Level(source, modules, module, "tasks").tasks(content.tasks, makes_uuids=makes_uuids)
    return Plan(
        name=content.name or path.stem,
        execution_mode=content.execution_mode or "",
        fields={name: source.content[name] for name in _OF_THE_WHOLE if source.content.get(name) is not None},
        tasks=ready,
        uploads=modules.put_into_tasks(),
    )


class _Level:
    """The tasks of a file, or those of a workflow inside of a task."""

    def __init__(self, source: SourceFile, modules: "_Modules", module: Path | None, at: str) -> None:
        self._source = source
        self._modules = modules
        #: That of all tasks that name none.
        self._module = module
        self._at = at
        self._is_inside = at != "tasks"

    def tasks(self, given: list[dict[str, Any]], *, makes_uuids: bool = False) -> list[dict[str, Any]]:
        """Give the tasks as the API takes them; those inside of a task keep their ids."""
        source, at = self._source, self._at
        shaped = [_shaped(source, task, _FileTask, f"{at}[{number}]") for number, task in enumerate(given)]
        ids = _fresh_ids(source, shaped, at, makes_uuids=makes_uuids, keeps=self._is_inside)
        _check_dependencies(source, shaped, list(ids), at)
        return [
            self._task(one, task, ids, f"{at}[{number}]", local)
            for number, (one, task, local) in enumerate(zip(given, shaped, ids, strict=True))
        ]

    def _task(
        self, given: dict[str, Any], task: _FileTask, ids: Mapping[str, str], where: str, local: str
    ) -> dict[str, Any]:
        source = self._source
        if owned := given.keys() & set(OwnedFields.__struct_fields__):
            raise source.wrong(f"{where}.{min(owned)}", "the manager sets it; leave it out")
        ready = {name: value for name, value in given.items() if name not in _LOCAL} | {"id": ids[local]}
        if task.depends_on:
            ready["depends_on"] = [ids[parent] for parent in task.depends_on]
        if task.stdin_file:
            ready |= _stdin(source, source.path, task, where)
        elif task.stdin is not None:
            ready["stdin"] = _with_fresh_id(ready["stdin"], ids)
        if task.run_if:
            ready["run_if"] = _condition(source, task, ids, where)
        if task.inputs:
            ready["inputs"] = [_with_fresh_ids(value, ids) for value in ready["inputs"]]
        own = source.path.parent / task.module if task.module else self._module
        if task.workflow is not None:
            if task.module:
                raise source.wrong(
                    f"{where}.module", "the task runs a workflow; name it there, or leave it out"
                )
            ready["name"] = task.name or task.workflow.name or local
            ready["workflow"] = self._workflow(given["workflow"], task.workflow, f"{where}.workflow")
        elif own is not None:
            self._modules.give(ready, own, where, must_come_along=self._is_inside)
            ready["name"] = task.name or self._modules.export(own, where)
        elif not task.image_url and not task.file:
            raise source.wrong(
                f"{where}.module", "name a .wasm or .wat file here, at the top, or by --module"
            )
        _check_json(source, ready, where)
        return ready

    def _workflow(self, given: dict[str, Any], workflow: _FileWorkflow, where: str) -> dict[str, Any]:
        ready = {name: value for name, value in given.items() if name not in _LOCAL}
        if not workflow.id:
            if not workflow.tasks:
                raise self._source.wrong(f"{where}.tasks", "a list with at least one task is needed")
            own = self._source.path.parent / workflow.module if workflow.module else self._module
            level = _Level(self._source, self._modules, own, f"{where}.tasks")
            ready["tasks"] = level.tasks(workflow.tasks)
        return ready


def _shaped(source: SourceFile, value: Any, shape: type[_T], where: str) -> _T:
    """Check the fields of an object and their types."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        problem = problem_of(error, shape)
        field = problem.where.replace("[...]", "")
        if at := input_of(field):
            field, said = at, f"it has to be text or a number; {OTHER_INPUTS}"
        else:
            said = _worded(problem.message)
        raise source.wrong(".".join(filter(None, (where, field))), said) from error


def _worded(message: str) -> str:
    """Word a message of the type check for the author of a file."""
    expected = re.fullmatch(r"Expected `(.*?)`(?:, got `(.*)`)?", message)
    if not expected:
        return message[:1].lower() + message[1:]
    kinds = [kind for kind in expected[1].split(" | ") if kind != "null"]
    wanted = " or ".join(dict.fromkeys(_TYPES.get(kind, kind) for kind in kinds))
    hint = ": put it in quotes" if "str" in kinds and expected[2] in _QUOTED else ""
    return f"it has to be {wanted}, not {_TYPES.get(expected[2], expected[2])}{hint}"


def _fresh_ids(
    source: SourceFile, tasks: list[_FileTask], at: str, *, makes_uuids: bool, keeps: bool
) -> dict[str, str]:
    """Make an id of this run for each task, by its id in the file; or keep that."""
    run = uuid.uuid4().hex[:8]
    ids: dict[str, str] = {}
    for number, task in enumerate(tasks):
        where = f"{at}[{number}]"
        if task.workflow_id or task.job_id:
            raise source.wrong(where, "workflow_id and job_id are made by the manager; leave them out")
        local = task.id or f"task-{number + 1}"
        if not _LOCAL_ID.fullmatch(local):
            raise source.wrong(
                f"{where}.id", "it has to be 1 to 200 characters, without / and control characters"
            )
        if local in ids:
            raise source.wrong(f"{where}.id", f"{local} is the id of an earlier task too")
        ids[local] = local if keeps else str(uuid.uuid4()) if makes_uuids else f"{local}-{run}"
    return ids


def _with_fresh_ids(value: Any, ids: Mapping[str, str]) -> Any:
    """Name the parents in an input by their ids of this run."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: f"${{{ids.get(found[1], found[1])}}}", value)
    return _with_fresh_id(value, ids)


def _with_fresh_id(value: Any, ids: Mapping[str, str]) -> Any:
    """Name the parent by its id of this run, in a value that is the whole result of a parent."""
    if isinstance(value, dict):
        return value | {"from": ids.get(value.get("from", ""), value.get("from"))}
    return value


def _condition(source: SourceFile, task: _FileTask, ids: Mapping[str, str], where: str) -> str:
    """Name the parents in an expression by their ids of this run."""
    run_if = task.run_if or ""
    try:
        check_written(run_if)
    except Invalid as error:
        raise source.wrong(f"{where}.run_if", str(error)) from error
    if not is_expression(run_if):
        return run_if
    for key in compiled(run_if).keys:
        if key.name in ids and key.name not in (task.depends_on or ()):
            raise source.wrong(
                f"{where}.run_if", f"at character {key.at}: {key.name} is no parent; add it to depends_on"
            )
    return with_other_names(run_if, ids)


def _stdin(source: SourceFile, path: Path, task: _FileTask, where: str) -> dict[str, str]:
    """Read the file beside this one that is a task's standard input."""
    if task.stdin is not None:
        raise source.wrong(f"{where}.stdin_file", "stdin is given too; leave one of them out")
    try:
        return stdin_of(path.parent / str(task.stdin_file))
    except Invalid as error:
        raise source.wrong(f"{where}.stdin_file", str(error)) from error


def _check_dependencies(source: SourceFile, tasks: list[_FileTask], ids: list[str], at: str) -> None:
    known = set(ids)
    for number, task in enumerate(tasks):
        for parent in task.depends_on or []:
            if parent not in known:
                raise source.wrong(
                    f"{at}[{number}].depends_on", f"there is no task {parent} {_WHERE[at == 'tasks']}"
                )
    specs = [
        Spec(id=local, name="main", depends_on=tuple(task.depends_on or ()))
        for local, task in zip(ids, tasks, strict=True)
    ]
    try:
        resolve_dependencies(specs)
    except Invalid as error:
        raise source.wrong(at, f"depends_on: {error}") from error


def _check_json(source: SourceFile, task: dict[str, Any], where: str) -> None:
    try:
        json.dumps(task, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise source.wrong(where, f"a value of it can't be sent: {error}; put it in quotes") from error


class _Modules:
    """The modules of the tasks; each file is read once, however many tasks use it."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._data: dict[Path, bytes] = {}
        self._exports: dict[Path, str] = {}
        self._of: list[tuple[dict[str, Any], Path]] = []
        #: Those of tasks in workflows inside of tasks, to which nothing can be uploaded.
        self._along: list[tuple[dict[str, Any], Path]] = []

    def give(self, task: dict[str, Any], path: Path, where: str, *, must_come_along: bool) -> None:
        (self._along if must_come_along else self._of).append((task, path))
        if path not in self._data:
            try:
                self._data[path] = read_module(path)
            except Invalid as error:
                raise self._source.wrong(f"{where}.module", str(error)) from error

    def export(self, path: Path, where: str) -> str:
        """Choose the function of a task that names none."""
        if path not in self._exports:
            try:
                self._exports[path] = default_export(self._data[path], str(path))
            except Invalid as error:
                raise self._source.wrong(f"{where}.name", str(error)) from error
        return self._exports[path]

    def put_into_tasks(self) -> dict[str, bytes]:
        """Write the modules into the tasks, or return those that are too large for one request, by task."""
        texts = {path: base64.b64encode(data).decode() for path, data in self._data.items()}
        size = sum(len(texts[path]) for _, path in self._along)
        if size > INLINE_CHARS_MAX:
            raise self._source.wrong(
                "tasks", "the modules of tasks in workflows of tasks are too large to be sent together"
            )
        is_large = size + sum(len(texts[path]) for _, path in self._of) > INLINE_CHARS_MAX
        for task, path in [*self._along, *([] if is_large else self._of)]:
            task["file"] = texts[path]
        return {task["id"]: self._data[path] for task, path in self._of} if is_large else {}
