"""Files that say what to run: a workflow or a job in YAML or JSON.

Ids in a file are local to it: each run gives its tasks ids of their own, so the same file can be run twice.
A module is a path beside the file, given once for all tasks or for each. All other fields of a task are the
API's. Every complaint names the file, the task and the field.
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
import yaml

from propeller.cli.modules import default_export, read_module
from propeller.core.graph import resolve_dependencies
from propeller.core.model import Spec
from propeller.errors import Invalid
from propeller.wire.http.tasks import NewTask

#: Modules travel inside the request that creates the tasks up to this much in all, one by one above it.
INLINE_CHARS_MAX = 32 * 1024 * 1024

_T = TypeVar("_T")
_AT = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$\.?(?P<field>.*)`)?$", re.DOTALL)
_LOCAL_ID = re.compile(r"[^/\x00-\x1f\x7f-\x9f]{1,200}")
_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "array": "list"}
#: ``${id}``, but not ``$${id}``.
_REFERENCE = re.compile(r"(?<!\$)\$\{([^{}]*)\}")
_QUOTED = ("int", "float", "bool")


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tasks: list[dict[str, Any]] = []
    name: str | None = None
    execution_mode: str | None = None
    fail_fast: bool | None = None
    module: str | None = None


class _FileTask(NewTask, forbid_unknown_fields=True, kw_only=True):
    module: str | None = None


@dataclass
class Plan:
    """What a file asks for, as the API takes it."""

    name: str
    execution_mode: str
    fail_fast: bool | None
    #: With ids of this run, and modules inline unless they are too large for that.
    tasks: list[dict[str, Any]]
    #: From a task's id to the one that the file has for it.
    local_ids: dict[str, str]
    #: Modules that are not inline, by the task's id.
    uploads: dict[str, bytes]


def read_run_file(path: Path, module: Path | None = None) -> Plan:
    """Read a file; ``module`` goes before the one that it names at its top."""
    content = _shaped(_load(path), _File, f"{path}: ")
    if not content.tasks:
        raise Invalid(f"{path}: tasks: a list with at least one task is needed")
    if module is None and content.module:
        module = path.parent / content.module
    shaped = [
        _shaped(task, _FileTask, f"{path}: tasks[{number}].") for number, task in enumerate(content.tasks)
    ]
    ids = _fresh_ids(path, shaped)
    _check_dependencies(path, shaped, list(ids))
    modules = _Modules()
    ready: list[dict[str, Any]] = []
    for number, (given, task, fresh) in enumerate(zip(content.tasks, shaped, ids.values(), strict=True)):
        where = f"{path}: tasks[{number}]"
        ready.append({name: value for name, value in given.items() if name != "module"} | {"id": fresh})
        if task.depends_on:
            ready[-1]["depends_on"] = [ids[parent] for parent in task.depends_on]
        if task.inputs:
            ready[-1]["inputs"] = [_with_fresh_ids(value, ids) for value in ready[-1]["inputs"]]
        own = path.parent / task.module if task.module else module
        if own is not None:
            modules.give(fresh, own, where)
            ready[-1]["name"] = task.name or modules.export(own, where)
        elif not task.image_url and not task.file:
            raise Invalid(f"{where}.module: name a .wasm or .wat file here, at the top, or by --module")
        _check_json(ready[-1], where)
    return Plan(
        name=content.name or path.stem,
        execution_mode=content.execution_mode or "",
        fail_fast=content.fail_fast,
        tasks=ready,
        local_ids={fresh: local for local, fresh in ids.items()},
        uploads=modules.put_into(ready),
    )


class _Loader(yaml.SafeLoader):
    """Leaves dates as the text that they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012  declared by the base class
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _load(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        # YAML reads JSON too, but not its pairs of surrogates.
        return json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)  # noqa: S506  it is safe
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Invalid(f"{path}: neither YAML nor JSON: {error}") from error


def _shaped(value: Any, shape: type[_T], prefix: str) -> _T:
    """Check the fields of an object and their types."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise Invalid(_complaint(str(error), prefix)) from error


def _complaint(message: str, prefix: str) -> str:
    """Say in words of the file what the check says in Python's."""
    found = _AT.match(message)
    assert found is not None, "it matches anything"
    field = (found["field"] or "").replace("[...]", "")
    place = prefix + field if field else prefix.rstrip(".: ")
    expected = re.fullmatch(r"Expected `(.*?)`(?:, got `(.*)`)?", found["what"])
    if expected:
        kinds = [kind for kind in expected[1].split(" | ") if kind != "null"]
        wanted = " or ".join(dict.fromkeys(_TYPES.get(kind, kind) for kind in kinds))
        hint = ": put it in quotes" if "str" in kinds and expected[2] in _QUOTED else ""
        return f"{place}: it has to be {wanted}, not {_TYPES.get(expected[2], expected[2])}{hint}"
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", found["what"], re.DOTALL)
    if unknown:
        return f"{place}: {unknown[1]}: there is no such field"
    return f"{place}: {found['what'][:1].lower()}{found['what'][1:]}"


def _fresh_ids(path: Path, tasks: list[_FileTask]) -> dict[str, str]:
    """Return the id for this run of each task, by its id in the file."""
    run = uuid.uuid4().hex[:8]
    ids: dict[str, str] = {}
    for number, task in enumerate(tasks):
        where = f"{path}: tasks[{number}]"
        if task.workflow_id or task.job_id:
            raise Invalid(f"{where}: workflow_id and job_id are made by the manager; leave them out")
        local = task.id or f"task-{number + 1}"
        if not _LOCAL_ID.fullmatch(local):
            raise Invalid(f"{where}.id: it has to be 1 to 200 characters, without / and control characters")
        if local in ids:
            raise Invalid(f"{where}.id: {local} is the id of an earlier task too")
        ids[local] = f"{local}-{run}"
    return ids


def _with_fresh_ids(value: Any, ids: Mapping[str, str]) -> Any:
    """Let an input that is a parent's result name the parent by its id of this run."""
    if isinstance(value, dict):
        return value | {"from": ids.get(value.get("from", ""), value.get("from"))}
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: f"${{{ids.get(found[1], found[1])}}}", value)
    return value


def _check_dependencies(path: Path, tasks: list[_FileTask], ids: list[str]) -> None:
    known = set(ids)
    for number, task in enumerate(tasks):
        for parent in task.depends_on or []:
            if parent not in known:
                raise Invalid(f"{path}: tasks[{number}].depends_on: there is no task {parent} in this file")
    specs = [
        Spec(id=local, name="main", depends_on=tuple(task.depends_on or ()))
        for local, task in zip(ids, tasks, strict=True)
    ]
    try:
        resolve_dependencies(specs)
    except Invalid as error:
        raise Invalid(f"{path}: depends_on: {error}") from error


def _check_json(task: dict[str, Any], where: str) -> None:
    try:
        json.dumps(task, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(f"{where}: a value of it can't be sent: {error}; put it in quotes") from error


class _Modules:
    """Which task has which module; reads each file once, however many have it."""

    def __init__(self) -> None:
        self._data: dict[Path, bytes] = {}
        self._exports: dict[Path, str] = {}
        self._of: dict[str, Path] = {}

    def give(self, task_id: str, path: Path, where: str) -> None:
        self._of[task_id] = path
        if path not in self._data:
            try:
                self._data[path] = read_module(path)
            except Invalid as error:
                raise Invalid(f"{where}.module: {error}") from error

    def export(self, path: Path, where: str) -> str:
        """Choose the function that a task runs which names none."""
        if path not in self._exports:
            self._exports[path] = default_export(self._data[path], f"{where}.name: {path}")
        return self._exports[path]

    def put_into(self, tasks: list[dict[str, Any]]) -> dict[str, bytes]:
        """Write the modules into the tasks, or return them where they are too large for one request."""
        size = sum(len(self._data[path]) for path in self._of.values())
        if size * 4 // 3 > INLINE_CHARS_MAX:
            return {task_id: self._data[path] for task_id, path in self._of.items()}
        texts = {path: base64.b64encode(data).decode() for path, data in self._data.items()}
        for task in tasks:
            if task["id"] in self._of:
                task["file"] = texts[self._of[task["id"]]]
        return {}
