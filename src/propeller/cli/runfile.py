"""Files with a workflow or a job to run, and the modules beside them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from propeller.cli.modules import INLINE_CHARS_MAX, default_export, read_module
from propeller.cli.options import stdin_of
from propeller.cli.reading import read_bounded
from propeller.errors import Invalid
from propeller.runfiles.content import Problems, read_content
from propeller.runfiles.source import Source

#: More than the API takes in one request, with all modules.
_BYTES_MAX = 128 * 1024 * 1024


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
    """Read a file, and the modules that it names.

    Args:
        path: The path of the file.
        module: Replaces the module that the file names at its top.
        makes_uuids: True if task ids have to be UUIDs: a manager that only knows the contract may start no
            other tasks.

    Raises:
        Invalid: The file is wrong; the message says where.

    """
    source = _source(path)
    modules = _Modules()
    content = read_content(
        source, modules, Problems(), folder=path.parent, module=module, makes_uuids=makes_uuids
    )
    try:
        uploads = modules.put_into_tasks()
    except Invalid as error:
        raise source.wrong("tasks", str(error)) from error
    return Plan(
        name=content.name or path.stem,
        execution_mode=content.execution_mode,
        fields=content.fields,
        tasks=content.tasks,
        uploads=uploads,
    )


def _source(path: Path) -> Source:
    try:
        return Source(read_bounded(path, _BYTES_MAX).decode(), str(path))
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: neither YAML nor JSON: {error}") from error


class _Modules:
    """The modules of the tasks; each file is read once, however many tasks use it."""

    def __init__(self) -> None:
        self._data: dict[Path, bytes] = {}
        self._exports: dict[Path, str] = {}
        self._of: list[tuple[dict[str, Any], Path]] = []
        #: Those of tasks in workflows inside of tasks, to which nothing can be uploaded.
        self._along: list[tuple[dict[str, Any], Path]] = []

    def give_module(self, task: dict[str, Any], path: Path, where: str, *, must_come_along: bool) -> None:
        (self._along if must_come_along else self._of).append((task, path))
        if path not in self._data:
            self._data[path] = read_module(path)

    def export(self, path: Path, where: str) -> str:
        """Choose the function of a task that names none."""
        if path not in self._exports:
            self._exports[path] = default_export(self._data[path], str(path))
        return self._exports[path]

    def stdin(self, task: dict[str, Any], path: Path, where: str) -> dict[str, str]:
        return stdin_of(path)

    def put_into_tasks(self) -> dict[str, bytes]:
        """Write the modules into the tasks, or return those that are too large for one request, by task."""
        texts = {path: base64.b64encode(data).decode() for path, data in self._data.items()}
        size = sum(len(texts[path]) for _, path in self._along)
        if size > INLINE_CHARS_MAX:
            raise Invalid("the modules of tasks in workflows of tasks are too large to be sent together")
        is_large = size + sum(len(texts[path]) for _, path in self._of) > INLINE_CHARS_MAX
        for task, path in [*self._along, *([] if is_large else self._of)]:
            task["file"] = texts[path]
        return {task["id"]: self._data[path] for task, path in self._of} if is_large else {}
