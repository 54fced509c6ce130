"""Files that say what to run: a workflow or a job in YAML or JSON.

Ids in a file are local to it: each run gives its tasks ids of their own, so the same file can be run twice.
A module is a path beside the file, given once for all tasks or for each.
"""

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from propeller.cli.modules import default_export, read_module
from propeller.errors import Invalid

_KEYS = {"name", "execution_mode", "module", "tasks"}
_TASK_KEYS = {
    "id", "name", "module", "inputs", "cli_args", "env", "depends_on", "run_if", "daemon", "priority",
    "proplet_id", "metadata", "image_url", "kind", "mode",
}  # fmt: skip


@dataclass
class Plan:
    """What a file asks for, as the API takes it."""

    name: str
    execution_mode: str
    #: With ids of this run, and modules inline.
    tasks: list[dict[str, Any]]
    #: From a task's id to the one that the file has for it.
    local_ids: dict[str, str]


def read_run_file(path: Path, module: Path | None = None) -> Plan:
    """Read a file; every complaint names the file, the task and the field."""
    content = _load(path)
    _known_keys(content, _KEYS, str(path))
    tasks = content.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise Invalid(f"{path}: tasks: a list with at least one task is needed")
    if module is None and content.get("module"):
        module = path.parent / str(content["module"])
    modules = _Modules(path.parent)
    ids = _fresh_ids(path, tasks)
    ready = [
        _task(f"{path}: tasks[{number}]", task, fresh, ids=ids, modules=modules, module=module)
        for number, (task, fresh) in enumerate(zip(tasks, ids.values(), strict=True))
    ]
    return Plan(
        name=str(content.get("name") or path.stem),
        execution_mode=str(content.get("execution_mode") or ""),
        tasks=ready,
        local_ids={fresh: local for local, fresh in ids.items()},
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())  # JSON is YAML
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: neither YAML nor JSON: {error}") from error
    if not isinstance(content, dict):
        raise Invalid(f"{path}: at the top there has to be an object with tasks in it")
    return content


def _known_keys(given: dict[str, Any], known: set[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise Invalid(f"{where}: {key}: there is no such field; known are {', '.join(sorted(known))}")


def _fresh_ids(path: Path, tasks: list[Any]) -> dict[str, str]:
    run = uuid.uuid4().hex[:8]
    ids: dict[str, str] = {}
    for number, task in enumerate(tasks):
        if not isinstance(task, dict):
            raise Invalid(f"{path}: tasks[{number}]: a task has to be an object")
        local = str(task.get("id") or f"task-{number + 1}")
        if local in ids:
            raise Invalid(f"{path}: tasks[{number}].id: {local} is the id of an earlier task too")
        ids[local] = f"{local}-{run}"
    return ids


def _task(
    where: str,
    task: dict[str, Any],
    fresh: str,
    *,
    ids: dict[str, str],
    modules: "_Modules",
    module: Path | None,
) -> dict[str, Any]:
    _known_keys(task, _TASK_KEYS, where)
    ready = {key: value for key, value in task.items() if key != "module"}
    ready["id"] = fresh
    depends_on = task.get("depends_on") or []
    if not isinstance(depends_on, list):
        raise Invalid(f"{where}.depends_on: a list of ids is needed")
    for parent in depends_on:
        if str(parent) not in ids:
            raise Invalid(f"{where}.depends_on: there is no task {parent} in this file")
    if depends_on:
        ready["depends_on"] = [ids[str(parent)] for parent in depends_on]
    own = modules.directory / str(task["module"]) if task.get("module") else module
    if own is None:
        if not task.get("image_url"):
            raise Invalid(f"{where}.module: name a .wasm or .wat file here, at the top, or by --module")
    else:
        ready["file"] = modules.text(own)
        ready.setdefault("name", modules.export(own))
    return ready


class _Modules:
    """Reads each file once, however many tasks have it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._data: dict[Path, bytes] = {}
        self._texts: dict[Path, str] = {}

    def text(self, path: Path) -> str:
        if path not in self._texts:
            self._data[path] = read_module(path)
            self._texts[path] = base64.b64encode(self._data[path]).decode()
        return self._texts[path]

    def export(self, path: Path) -> str:
        return default_export(self._data[path], str(path))
