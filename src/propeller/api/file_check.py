"""Checks a file with a workflow or a job as ``propeller workflows run`` and this manager would.

First it is read as the command line does (``runfiles``), then its tasks and fields are built as for a
request, and at last the rules of the core are asked, with no other task there. The modules are not there:
what hangs on them is checked when the request comes.
"""

import base64
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal

import msgspec

from propeller.api import jobs, workflows
from propeller.api.belonging import Creator
from propeller.api.lifting import Lifted
from propeller.api.spec_builder import SpecBuilder
from propeller.core.commands import creation
from propeller.core.state import ClusterState
from propeller.errors import PropellerError
from propeller.runfiles.content import Content, Problems, read_content
from propeller.runfiles.source import Source, Wrong
from propeller.wire.http.files import FileCheck, FileError, FileNeed, FileTask, NewFile
from propeller.wire.http.groups import NewJob, NewWorkflow
from propeller.wire.http.tasks import NewTask

_ERRORS_MAX = 100
_NOTHING = Content("", "", {}, [], {})
#: Stands for the modules, which are not there.
_A_MODULE = base64.b64encode(b"\0asm\1\0\0\0").decode()
#: All whole numbers up to here are doubles.
_DOUBLE_INT_MAX = 2**53 - 1
#: The path of a field at the beginning of a message.
_PATH = re.compile(r"([a-z_]+(?:\[\d+\]|\.[\w-]+)*): ")


def checked(new: NewFile) -> FileCheck:
    """Check a file. Not more than 100 mistakes are named."""
    problems = Problems(_ERRORS_MAX)
    needs, content, source = _Needs(), _NOTHING, None
    try:
        with problems.caught():
            source = Source(new.text, new.name or "file")
        if source is not None:
            content = read_content(source, needs, problems, folder=Path())
            for wrong in _refused_tasks(source, content):
                problems.add(wrong)
            if not problems.found:
                with problems.caught():
                    _check_whole(source, _kind(new, content), content)
    except Wrong:
        pass  # it is the last mistake that is asked for, and among them
    return _answer(new, source, content, needs, problems)


class _Needs:
    """The files beside a file, which are named and not read."""

    def __init__(self) -> None:
        #: By name and field.
        self.found: dict[tuple[str, str], FileNeed] = {}

    def give_module(self, task: dict[str, Any], path: Path, where: str, *, must_come_along: bool) -> None:
        self._add(str(path), "file", where)

    def export(self, path: Path, where: str) -> str:
        return ""

    def stdin(self, task: dict[str, Any], path: Path, where: str) -> dict[str, str]:
        self._add(str(path), "stdin", where)
        return {}

    def _add(self, name: str, field: Literal["file", "stdin"], where: str) -> None:
        need = self.found.setdefault((name, field), FileNeed(name=name, field=field, tasks=[], line=0))
        need.tasks.append(where)


def _kind(new: NewFile, content: Content) -> Literal["workflow", "job"]:
    if new.kind:
        return "job" if new.kind == "job" else "workflow"
    return "job" if content.execution_mode else "workflow"


def _answer(
    new: NewFile, source: Source | None, content: Content, needs: _Needs, problems: Problems
) -> FileCheck:
    kind = _kind(new, content)
    name = content.name or PurePath(new.name).stem
    tasks, edges = ([], []) if source is None else _drawn(source)
    request = None if problems.found else _request(kind, name, content)
    errors = [
        FileError(
            line=0 if wrong.place is None else wrong.place.line,
            field=wrong.where,
            message=wrong.message,
        )
        for wrong in problems.found
    ]
    errors.sort(key=lambda error: error.line)
    for need in needs.found.values():
        assert source is not None
        need.line = _line_of(source, need)
    return FileCheck(
        kind=kind,
        name=name,
        request=request,
        tasks=tasks,
        edges=edges,
        needs=list(needs.found.values()),
        errors=errors,
    )


def _request(kind: str, name: str, content: Content) -> dict[str, Any]:
    body = {"name": name} if name else {}
    if kind == "job" and content.execution_mode:
        body["execution_mode"] = content.execution_mode
    return {**body, **content.fields, "tasks": [_exact(task) for task in content.tasks]}


def _exact(task: dict[str, Any]) -> dict[str, Any]:
    """Write those inputs as text that a browser would change, all of whose numbers are doubles."""
    found = dict(task)
    if isinstance(inputs := task.get("inputs"), list):
        found["inputs"] = [str(one) if _is_beyond_doubles(one) else one for one in inputs]
    if isinstance(inner := task.get("workflow"), dict) and inner.get("tasks"):
        found["workflow"] = {**inner, "tasks": [_exact(one) for one in inner["tasks"]]}
    return found


def _is_beyond_doubles(value: Any) -> bool:
    return type(value) is int and abs(value) > _DOUBLE_INT_MAX


def _line(source: Source, where: str) -> int:
    place = source.place(where)
    return 0 if place is None else place.line


def _line_of(source: Source, need: FileNeed) -> int:
    """Give the line that names a file first."""
    field = "module" if need.field == "file" else "stdin_file"
    lines = (_line(source, f"{task}.{field}") for task in need.tasks)
    at_top = source.content.get("module") if need.field == "file" else None
    return _line(source, "module") if at_top == need.name else min(lines)


def _drawn(source: Source) -> tuple[list[FileTask], list[list[str]]]:
    """Give what can be drawn of the tasks and their edges, also of a file with mistakes."""
    content = source.content
    whole: Mapping[str, Any] = content if isinstance(content, dict) else {}
    given = whole.get("tasks")
    tasks: dict[str, FileTask] = {}
    parents: list[tuple[str, str]] = []
    for number, one in enumerate(given if isinstance(given, list) else []):
        if not isinstance(one, dict):
            continue
        local = _text(one, "id") or f"task-{number + 1}"
        inner = one.get("workflow")
        name, module = _text(one, "name"), ""
        if isinstance(inner, dict):
            name = name or _text(inner, "name") or local
        else:
            module = _text(one, "module") or _text(whole, "module")
        tasks.setdefault(
            local, FileTask(id=local, name=name, module=module, line=_line(source, f"tasks[{number}]"))
        )
        named = one.get("depends_on")
        parents += [(str(parent), local) for parent in (named if isinstance(named, list) else [])]
    return list(tasks.values()), [
        [parent, child] for parent, child in dict.fromkeys(parents) if parent in tasks
    ]


def _text(given: Mapping[str, Any], field: str) -> str:
    value = given.get(field)
    return str(value) if isinstance(value, str | int) else ""


def _refused_tasks(source: Source, content: Content) -> Iterator[Wrong]:
    """Give what this manager would refuse in a task by itself."""
    numbers = {id_: number for number, (_, id_) in content.ids.items()}
    for task in content.tasks:
        try:
            SpecBuilder().specs([msgspec.convert(_filled(task), NewTask)], "tasks")
        except PropellerError as error:
            text = str(error).replace("tasks[0]", f"tasks[{numbers[task['id']]}]", 1)
            yield _placed(source, content, text)


def _check_whole(source: Source, kind: str, content: Content) -> None:
    """Raise ``Wrong`` for what this manager would refuse in the whole."""
    tasks = [_filled(task) for task in content.tasks]
    body = {**_request(kind, content.name, content), "tasks": tasks}
    try:
        if kind == "job":
            command, builder = jobs.creation(msgspec.convert(body, NewJob), Lifted(), Creator())
        else:
            command, builder = workflows.creation(msgspec.convert(body, NewWorkflow), Lifted(), Creator())
        if not builder.copied:  # the workflows that are copied are not here
            state = ClusterState()
            state.wall = time.time_ns()
            creation.create(state, command, state.wall)
    except PropellerError as error:
        raise _placed(source, content, str(error)) from error


def _filled(task: dict[str, Any]) -> dict[str, Any]:
    """Put the name and the module into a task that only its module can tell."""
    if isinstance(inner := task.get("workflow"), dict):
        if not inner.get("tasks"):
            return task
        return {**task, "workflow": {**inner, "tasks": [_filled(one) for one in inner["tasks"]]}}
    module = {} if task.get("image_url") or task.get("file") else {"file": _A_MODULE}
    return {"name": "main", **task, **module}


def _placed(source: Source, content: Content, text: str) -> Wrong:
    """Find the place that a refusal is about: its message begins with the field, or names the task."""
    found = _PATH.match(text)
    where = found[1] if found else ""
    message = text[found.end() :] if found else text
    if not where.startswith("tasks["):
        named = [
            (text.index(f" {id_}"), number) for number, (_, id_) in content.ids.items() if f" {id_}" in text
        ]
        where = ".".join(filter(None, (f"tasks[{min(named)[1]}]" if named else "", where)))
    for local, id_ in content.ids.values():
        message = message.replace(id_, local)
    return source.wrong(where, message)
