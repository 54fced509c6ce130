"""The content of a file with a workflow or a job to run.

Ids in a file are local to it: each run gives its tasks ids of their own, so the same file can be run twice.
A module is a path beside the file, given once for all tasks or for each. All other fields of a task are the
API's. A workflow inside of a task is written in the same way; the ids of its tasks hold inside of it only.
Every message names the file with line and column, the task and the field.

The files beside it are not read here (``Companions``).
"""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from propeller.core.conditions import check_written, is_expression
from propeller.core.expressions.compiler import compiled, with_other_names
from propeller.core.graph import cycle_in, cycle_text
from propeller.errors import Invalid
from propeller.runfiles.source import Source, Wrong
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
    "namespace",
)
#: The name of a field at the beginning of a path.
_FIRST_STEP = re.compile(r"[^.\[]+")
_QUOTED = ("int", "float", "bool")
_WHERE = ("in this workflow", "in this file")


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tasks: list[Any] = []
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
    namespace: str | None = None
    module: str | None = None


class _FileWorkflow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The workflow that a task runs; fields that are the API's alone are checked as such."""

    id: str | None = None
    name: str | None = None
    tasks: list[Any] = []
    timeout: str | float | None = None
    defaults: DefaultsField | None = None
    max_parallel: int | None = None
    fail_fast: bool | None = None
    module: str | None = None


class _FileTask(NewTask, kw_only=True):
    module: str | None = None
    stdin_file: str | None = None
    workflow: _FileWorkflow | None = None  # type: ignore[assignment]


class Companions(Protocol):
    """The files beside a file. Its methods raise ``Invalid`` where one is wrong."""

    def give_module(self, task: dict[str, Any], path: Path, where: str, *, must_come_along: bool) -> None:
        """Take in that a task has this module, and where the file says so."""

    def export(self, path: Path, where: str) -> str:
        """Choose the function of a task that names none; ``""`` leaves it open."""

    def stdin(self, task: dict[str, Any], path: Path, where: str) -> dict[str, str]:
        """Give the fields of a task whose standard input is in this file."""


@dataclass
class Content:
    """The content of a file, as the API takes it."""

    #: Empty where the file has none.
    name: str
    execution_mode: str
    #: What else the file says of the whole, under the names that the API has for it.
    fields: dict[str, Any]
    #: The tasks, with ids of this run, without their modules.
    tasks: list[dict[str, Any]]
    #: The ids in the file and in this run, by the number of the task in the file.
    ids: dict[int, tuple[str, str]]


class Problems:
    """The mistakes in a file, in the order in which they were found."""

    def __init__(self, most: int = 1) -> None:
        """Take up to so many; the last one is raised."""
        self.found: list[Wrong] = []
        self._most = most

    def add(self, wrong: Wrong) -> None:
        """Take in a mistake, and raise it if it is the last that is asked for."""
        self.found.append(wrong)
        if len(self.found) >= self._most:
            raise wrong

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Take in the mistake at which the block ends."""
        count = len(self.found)
        try:
            yield
        except Wrong as wrong:
            if len(self.found) > count and self.found[-1] is wrong:
                raise  # of a block inside, and the last one
            self.add(wrong)


def read_content(
    source: Source,
    companions: Companions,
    problems: Problems,
    *,
    folder: Path,
    module: Path | None = None,
    makes_uuids: bool = False,
) -> Content:
    """Read the content of a file.

    Args:
        source: The file.
        companions: Takes in the files beside it.
        problems: Takes in the mistakes. Where it has some afterwards, what is given is not complete.
        folder: What paths in the file are relative to.
        module: Replaces the module that the file names at its top.
        makes_uuids: True if task ids have to be UUIDs: a manager that only knows the contract may start no
            other tasks.

    Raises:
        Wrong: The last mistake that ``problems`` takes.

    """
    shaped = _shaped(source, source.content, _File, "", problems)
    if shaped is None:
        return Content("", "", {}, [], {})
    given, content = shaped
    if not content.tasks and not problems.found:
        problems.add(source.wrong("tasks", "a list with at least one task is needed"))
    if module is None and content.module:
        module = folder / content.module
    reader = _Reader(source, companions, problems, folder)
    ready, ids = reader.tasks(content.tasks, "tasks", module, makes_uuids=makes_uuids)
    return Content(
        name=content.name or "",
        execution_mode=content.execution_mode or "",
        fields={name: given[name] for name in _OF_THE_WHOLE if given.get(name) is not None},
        tasks=ready,
        ids=ids,
    )


class _Reader:
    """Reads the tasks of a file, and those of the workflows inside of tasks."""

    def __init__(self, source: Source, companions: Companions, problems: Problems, folder: Path) -> None:
        self._source = source
        self._companions = companions
        self._problems = problems
        self._folder = folder

    def tasks(
        self, given: list[Any], at: str, module: Path | None, *, makes_uuids: bool = False
    ) -> tuple[list[dict[str, Any]], dict[int, tuple[str, str]]]:
        """Give the tasks as the API takes them, and their ids by number; those inside of a task keep theirs.

        Args:
            given: The tasks as they are written.
            at: Where they stand.
            module: The module of those that name none.
            makes_uuids: True if ids are to be UUIDs.

        """
        right = {
            number: found
            for number, one in enumerate(given)
            if (found := _shaped(self._source, one, _FileTask, f"{at}[{number}]", self._problems)) is not None
        }
        shaped = {number: task for number, (_, task) in right.items()}
        ids = self._fresh_ids(shaped, at, makes_uuids=makes_uuids, keeps=at != "tasks")
        # A task whose id is wrong is known by what it has for one.
        written = {str(one.get("id")) for one in given if isinstance(one, dict)}
        self._check_dependencies(shaped, ids, written, at)
        ready = []
        of_run = dict(ids.values())
        for number, (local, _) in ids.items():
            one, task = right[number]
            where = f"{at}[{number}]"
            with self._problems.caught():
                ready.append(self._task(one, task, of_run, where=where, local=local, module=module))
        return ready, ids

    def _task(
        self,
        given: dict[str, Any],
        task: "_FileTask",
        ids: Mapping[str, str],
        *,
        where: str,
        local: str,
        module: Path | None,
    ) -> dict[str, Any]:
        source, companions = self._source, self._companions
        if owned := given.keys() & set(OwnedFields.__struct_fields__):
            raise source.wrong(f"{where}.{min(owned)}", "the manager sets it; leave it out")
        ready = {name: value for name, value in given.items() if name not in _LOCAL} | {"id": ids[local]}
        if task.depends_on:
            ready["depends_on"] = [ids.get(parent, parent) for parent in task.depends_on]
        if task.stdin_file:
            ready |= self._stdin(ready, task, where)
        elif task.stdin is not None:
            ready["stdin"] = _with_fresh_id(ready["stdin"], ids)
        if task.run_if:
            ready["run_if"] = _condition(source, task, ids, where)
        if task.inputs:
            ready["inputs"] = [_with_fresh_ids(value, ids) for value in ready["inputs"]]
        own = self._folder / task.module if task.module else module
        if task.workflow is not None:
            if task.module:
                raise source.wrong(
                    f"{where}.module", "the task runs a workflow; name it there, or leave it out"
                )
            ready["name"] = task.name or task.workflow.name or local
            ready["workflow"] = self._workflow(given["workflow"], task.workflow, f"{where}.workflow", module)
        elif own is not None:
            is_inside = ".workflow." in where
            with self._at(f"{where}.module"):
                companions.give_module(ready, own, where, must_come_along=is_inside)
            with self._at(f"{where}.name"):
                name = task.name or companions.export(own, where)
            if name:
                ready["name"] = name
        elif not task.image_url and not task.file:
            raise source.wrong(
                f"{where}.module", "name a .wasm or .wat file here, at the top, or by --module"
            )
        _check_json(source, ready, where)
        return ready

    def _workflow(
        self, given: dict[str, Any], workflow: "_FileWorkflow", where: str, module: Path | None
    ) -> dict[str, Any]:
        ready = {name: value for name, value in given.items() if name not in _LOCAL}
        if not workflow.id:
            if not workflow.tasks:
                raise self._source.wrong(f"{where}.tasks", "a list with at least one task is needed")
            own = self._folder / workflow.module if workflow.module else module
            ready["tasks"], _ = self.tasks(workflow.tasks, f"{where}.tasks", own)
        return ready

    def _stdin(self, ready: dict[str, Any], task: "_FileTask", where: str) -> dict[str, str]:
        """Read the file beside this one that is a task's standard input."""
        if task.stdin is not None:
            raise self._source.wrong(f"{where}.stdin_file", "stdin is given too; leave one of them out")
        with self._at(f"{where}.stdin_file"):
            return self._companions.stdin(ready, self._folder / str(task.stdin_file), where)

    @contextlib.contextmanager
    def _at(self, where: str) -> Iterator[None]:
        """Say of what is wrong with a file beside this one where it is named."""
        try:
            yield
        except Invalid as error:
            raise self._source.wrong(where, str(error)) from error

    def _fresh_ids(
        self, tasks: Mapping[int, "_FileTask"], at: str, *, makes_uuids: bool, keeps: bool
    ) -> dict[int, tuple[str, str]]:
        """Give the id in the file, and one of this run or the same, by the number of the task."""
        source, run = self._source, uuid.uuid4().hex[:8]
        ids: dict[int, tuple[str, str]] = {}
        taken = set()
        for number, task in tasks.items():
            where = f"{at}[{number}]"
            local = task.id or f"task-{number + 1}"
            with self._problems.caught():
                if task.workflow_id or task.job_id:
                    raise source.wrong(
                        where, "workflow_id and job_id are made by the manager; leave them out"
                    )
                if not _LOCAL_ID.fullmatch(local):
                    raise source.wrong(
                        f"{where}.id", "it has to be 1 to 200 characters, without / and control characters"
                    )
                if local in taken:
                    raise source.wrong(f"{where}.id", f"{local} is the id of an earlier task too")
                taken.add(local)
                ids[number] = (
                    local,
                    local if keeps else str(uuid.uuid4()) if makes_uuids else f"{local}-{run}",
                )
        return ids

    def _check_dependencies(
        self,
        tasks: Mapping[int, "_FileTask"],
        ids: Mapping[int, tuple[str, str]],
        written: set[str],
        at: str,
    ) -> None:
        source = self._source
        numbers = {local: number for number, (local, _) in ids.items()}
        known = numbers.keys() | written
        for number, task in tasks.items():
            for parent in task.depends_on or []:
                if parent not in known:
                    said = f"there is no task {parent} {_WHERE[at == 'tasks']}"
                    self._problems.add(source.wrong(f"{at}[{number}].depends_on", said))
        parents = {local: tuple(tasks[number].depends_on or ()) for local, number in numbers.items()}
        if cycle := cycle_in(parents):
            where = f"{at}[{numbers[cycle[0]]}].depends_on"
            self._problems.add(source.wrong(where, cycle_text(cycle)))


def _shaped(
    source: Source, value: Any, shape: type[_T], where: str, problems: Problems
) -> tuple[Any, _T] | None:
    """Check the fields of an object and their types; leave out what is wrong, as far as that goes.

    Gives what is left as it is written, and as it is meant.
    """
    while True:
        try:
            return value, msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            problem = problem_of(error, shape)
            field = problem.where.replace("[...]", "")
            if at := input_of(field):
                field, said = at, f"it has to be text or a number; {OTHER_INPUTS}"
            else:
                said = _worded(problem.message)
            problems.add(source.wrong(".".join(filter(None, (where, field))), said))
            name = _FIRST_STEP.match(field)
            if name is None or not isinstance(value, dict) or name[0] not in value:
                return None
            value = {key: inner for key, inner in value.items() if key != name[0]}


def _worded(message: str) -> str:
    """Word a message of the type check for the author of a file."""
    expected = re.fullmatch(r"Expected `(.*?)`(?:, got `(.*)`)?", message)
    if not expected:
        return message[:1].lower() + message[1:]
    kinds = [kind for kind in expected[1].split(" | ") if kind != "null"]
    wanted = " or ".join(dict.fromkeys(_TYPES.get(kind, kind) for kind in kinds))
    hint = ": put it in quotes" if "str" in kinds and expected[2] in _QUOTED else ""
    return f"it has to be {wanted}, not {_TYPES.get(expected[2], expected[2])}{hint}"


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


def _condition(source: Source, task: _FileTask, ids: Mapping[str, str], where: str) -> str:
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


def _check_json(source: Source, task: dict[str, Any], where: str) -> None:
    try:
        json.dumps(task, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise source.wrong(where, f"a value of it can't be sent: {error}; put it in quotes") from error
