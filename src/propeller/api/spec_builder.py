"""Checks the tasks of a request, and builds a ``Spec`` for each.

Every message names the field, and in a list of tasks the index of the task.
"""

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence, Sized
from hashlib import sha256
from itertools import count
from typing import Any

import msgspec

from propeller.access import namespaces
from propeller.api import sent_back
from propeller.api.belonging import Place
from propeller.api.bodies import check_module
from propeller.api.calls import Calls
from propeller.api.lifting import Lifted, from_base64, sum_of
from propeller.api.sandbox import sandbox_of
from propeller.api.scheduling import check_new_task, options_of, removed
from propeller.api.timing import defaults_of, duration_ns, retry_of
from propeller.core import conditions
from propeller.core.model import Definition, FromParent, FromSecret, Module, Spec, SubWorkflow, Variable
from propeller.core.results import BASE64
from propeller.core.retry import RETRY_OF_BROADCAST
from propeller.errors import Invalid
from propeller.wire.http.schema import encode
from propeller.wire.http.tasks import (
    ID_CHARS_MAX,
    INPUTS_MAX,
    NAME_CHARS_MAX,
    PARALLEL_MAX,
    SIGNATURE_CHARS_MAX,
    TASKS_MAX,
    InnerWorkflow,
    NewTask,
    TaskFields,
)

METADATA_BYTES_MAX = 1024 * 1024
STDIN_BYTES_MAX = 1024 * 1024
TAGS_MAX = 32
#: SQLite reads JSON of no more than 1000 levels, and the decoder has a limit of its own.
DEPTH_MAX = 100

_ID = re.compile(rf"[^/\x00-\x1f\x7f-\x9f]{{1,{ID_CHARS_MAX}}}")
#: The two topmost bits of this digit of a UUID are fixed.
_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ENV_KEY = re.compile(r"[^=\x00]+")


def new_ids(count: int) -> Iterator[str]:
    """Make random ids (UUID version 4), with one call for their bytes."""
    digits = os.urandom(16 * count).hex()
    for start in range(0, len(digits), 32):
        d = digits[start : start + 32]
        yield f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{_VARIANTS[d[16]]}{d[17:20]}-{d[20:]}"


_ANYWHERE = Place("", "", is_said=False)


class SpecBuilder:
    """Builds the specs of the tasks of one request, collects their modules and their calls."""

    def __init__(self, lifted: Lifted | None = None, place: Place = _ANYWHERE) -> None:
        """Begin with no module.

        Args:
            lifted: Has those that were taken out of the body.
            place: Where the tasks are to belong.

        """
        self._lifted = lifted or Lifted()
        self._place = place
        #: The modules that came with the tasks.
        self.modules: dict[Module, bytes] = {}
        #: The workflows that are to be copied into tasks, by id, with the field that names each first.
        self.copied: dict[str, str] = {}
        #: The name of the list of tasks, for messages.
        self.where = ""
        self._count = 0
        #: What the tasks call in them.
        self.calls = Calls()
        #: The same by their base64, or by the digest of that.
        self._by_file: dict[str | bytes, Module] = {}

    def specs(
        self, tasks: Sequence[NewTask], where: str = "", *, workflow_id: str = "", job_id: str = ""
    ) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
        """Return the specs of tasks in the order given, and those of their ids that the client chose.

        Args:
            tasks: All tasks of the request.
            where: The name of the list in messages.
            workflow_id: The workflow of all tasks, whatever each of them says.
            job_id: The job of all tasks, likewise.

        """
        self.where = where
        return self._specs(tasks, where, new_ids(sum(not task.id for task in tasks)), workflow_id, job_id)

    def count(self, tasks: int, where: str) -> None:
        """Count tasks of the request, those in workflows that tasks run too, and refuse too many."""
        self._count += tasks
        if self._count > TASKS_MAX:
            raise Invalid(f"{where}: {self._count} tasks are too many; send at most {TASKS_MAX} in a request")

    def _specs(
        self, tasks: Sequence[NewTask], where: str, fresh: Iterator[str], workflow_id: str, job_id: str
    ) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
        self.count(len(tasks), where)
        chosen: dict[str, int] = {}
        specs = []
        for number, task in enumerate(tasks):
            sent_back.as_new(task)
            at = f"{where}[{number}]." if where else ""
            if task.id:
                check_id(task.id, f"{at}id")
                if chosen.setdefault(task.id, number) != number:
                    raise Invalid(
                        f"{at}id: {task.id} is the id of {where}[{chosen[task.id]}] too; ids must differ"
                    )
            for name, group_id in (("workflow_id", task.workflow_id), ("job_id", task.job_id)):
                if group_id:
                    check_id(group_id, f"{at}{name}")
            task_id = task.id or next(fresh)
            workflow = None if task.workflow is None else self._inner(task.workflow, f"{at}workflow")
            if workflow is not None:
                task.name = task.name or workflow.name or task_id
            if not task.name:
                raise Invalid(f"{at}name: missing identity name; name the exported function to run")
            if task.namespace and task.namespace != namespaces.shown(self._place.namespace):
                raise Invalid(f"{at}namespace: it belongs where all tasks of the request do; leave it out")
            spec = Spec(
                id=task_id,
                namespace=self._place.namespace,
                created_by=self._place.created_by,
                workflow=workflow,
                depends_on=_depends_on(task, at),
                workflow_id=workflow_id,
                job_id=job_id,
                sandbox=sandbox_of(task, None, at),
                **self.fields(task, at),
            )
            check_encrypted(spec, at)
            check_new_task(spec, at)
            self.calls.add(spec, at)
            specs.append(spec)
        return tuple(specs), tuple(chosen)

    def _inner(self, given: InnerWorkflow, at: str) -> SubWorkflow:
        """Make the workflow that a task runs; one that is to be copied has no tasks yet."""
        if given.id:
            check_id(given.id, f"{at}.id")
            if others := [name for name in _OF_INNER if getattr(given, name) is not None]:
                raise Invalid(
                    f"{at}.{others[0]}: workflow {given.id} is copied as it is; leave it out, or id"
                )
            self.copied.setdefault(given.id, f"{at}.id")
            return SubWorkflow(specs=(), copy_of=given.id)
        tasks, where = given.tasks or [], f"{at}.tasks"
        for number, task in enumerate(tasks):
            for name in ("workflow_id", "job_id", "namespace"):
                if getattr(task, name):
                    raise Invalid(
                        f"{where}[{number}].{name}: it belongs to the workflow of its task; leave it out"
                    )
        known = {task.id for task in tasks}
        fresh = (name for number in count(1) if (name := f"task-{number}") not in known)
        return SubWorkflow(
            specs=self._specs(tasks, where, fresh, "", "")[0],
            name=check_group_name(given.name, f"{at}."),
            fail_fast=bool(given.fail_fast),
            definition=Definition(
                max_parallel=max_parallel_of(given.max_parallel, f"{at}."),
                timeout_ns=0 if given.timeout is None else duration_ns(given.timeout, f"{at}.timeout"),
                defaults=defaults_of(given.defaults, f"{at}."),
            ),
        )

    def fields(self, given: TaskFields, at: str = "") -> dict[str, Any]:
        """Check the fields that are given and return them under the names that ``Spec`` has for them."""
        fields: dict[str, Any] = {}
        for name in _PLAIN:
            value = getattr(given, name)
            if value is not None:
                fields[name] = value
        fields |= removed(given)
        if given.schedule_options is not None:
            fields["schedule_options"] = options_of(given.schedule_options, at)
        if given.name:
            if len(given.name) > NAME_CHARS_MAX:
                raise Invalid(f"{at}name: it is longer than {NAME_CHARS_MAX} characters; shorten it")
            fields["name"] = given.name
        if given.signature is not None:
            fields["signature"] = checked_signature(given.signature, at)
        if given.file:
            fields["module"] = self._module(given.file, f"{at}file")
        if given.cli_args is not None:
            check_count(given.cli_args, f"{at}cli_args")
            fields["cli_args"] = tuple(given.cli_args)
        if given.inputs is not None:
            check_count(given.inputs, f"{at}inputs")
            fields["inputs"] = tuple("" if value is None else value for value in given.inputs)
        if given.stdin is not None or given.stdin_encoding:
            fields["stdin"], fields["stdin_encoding"] = _stdin(given, at)
        if given.env is not None:
            check_env(given.env, at)
            fields["env"] = given.env
        if given.pinned_to:
            check_id(given.pinned_to, f"{at}pinned_to")
        if given.proplet_id is not None:
            if given.proplet_id:
                check_id(given.proplet_id, f"{at}proplet_id")
            fields["pin"] = given.proplet_id
        if given.required_tags is not None:
            fields["required_tags"] = _tags(given.required_tags, at)
        fields |= _timing(given, at)
        _check_words(given, at)
        if given.priority:
            if not 0 < given.priority <= 100:
                raise Invalid(f"{at}priority: priority must be between 0 and 100, got {given.priority}")
            fields["priority"] = given.priority
        if given.metadata is not None:
            _check_metadata(given.metadata, at)
        if given.monitoring_profile is not None:
            fields["monitoring_profile"] = msgspec.to_builtins(given.monitoring_profile)
        return fields

    def _module(self, file: str, where: str) -> Module:
        """Decode a module; a text is decoded once, however many tasks have it."""
        lifted = self._lifted.find(file)
        key = file if lifted is None else sum_of(lifted)
        module = self._by_file.get(key)
        if module is None:
            try:
                data = from_base64(file.encode("ascii") if lifted is None else lifted)
            except ValueError as error:
                raise Invalid(f"{where}: not valid base64: {error}; send the module in base64") from error
            check_module(data, where)
            module = self._by_file[key] = self.module(data)
        return module

    def module(self, data: bytes) -> Module:
        """Add the bytes of a module."""
        module = Module(sha256(data).hexdigest(), len(data))
        self.modules[module] = data
        self.calls.bring(module, data)
        return module


#: Fields that are taken as they are.
_PLAIN = (
    "kind",
    "image_url",
    "daemon",
    "latent",
    "encrypted",
    "kbs_resource_path",
    "run_if",
    "mode",
    "schedule",
    "is_recurring",
    "timezone",
    "broadcast",
    "metadata",
    "hal_storage_path",
)


#: What a workflow of a task has, besides the id of one to copy.
_OF_INNER = ("name", "tasks", "timeout", "defaults", "max_parallel", "fail_fast")


def check_id(text: str, where: str) -> None:
    if text in (".", "..") or not _ID.fullmatch(text):
        raise Invalid(
            f"{where}: not a valid id; use 1 to {ID_CHARS_MAX} characters without / and control characters, "
            "and neither . nor .."
        )


def check_secret_name(name: str, where: str) -> None:
    if not _SECRET.fullmatch(name):
        raise Invalid(
            f"{where}: not a name of a secret; use 1 to 128 letters, digits, _, - and ., and begin with a "
            "letter, a digit or _"
        )


def check_count(values: Sized, where: str) -> None:
    """Raise ``Invalid`` for more values than a task may have."""
    if len(values) > INPUTS_MAX:
        raise Invalid(f"{where}: {len(values)} are too many; give at most {INPUTS_MAX}")


def check_encrypted(spec: Spec, at: str = "") -> None:
    """Raise ``Invalid`` for an encrypted task without an image: only layers of images are encrypted."""
    if not spec.encrypted:
        return
    if spec.module is not None:
        raise Invalid(
            f"{at}file: an encrypted task can't bring its module along; leave file out and name an encrypted "
            "image in image_url, or set encrypted to false"
        )
    if not spec.image_url:
        raise Invalid(f"{at}image_url: an encrypted task needs one; name the encrypted image")


def checked_signature(text: str, at: str = "") -> str:
    if len(text) > SIGNATURE_CHARS_MAX:
        raise Invalid(
            f"{at}signature: it has {len(text)} characters; a signature has at most {SIGNATURE_CHARS_MAX}"
        )
    return text.strip()


def max_parallel_of(given: int | None, at: str = "") -> int:
    if given is None:
        return 0
    if not 1 <= given <= PARALLEL_MAX:
        raise Invalid(
            f"{at}max_parallel: {given} is out of range; give 1 to {PARALLEL_MAX}, or leave it out for any "
            "number"
        )
    return given


def check_group_name(name: str | None, at: str = "") -> str:
    if name and len(name) > NAME_CHARS_MAX:
        raise Invalid(f"{at}name: it is longer than {NAME_CHARS_MAX} characters; shorten it")
    return name or ""


def _depends_on(task: NewTask, at: str) -> tuple[str, ...]:
    for number, wanted in enumerate(task.depends_on or ()):
        if not 0 < len(wanted) <= NAME_CHARS_MAX:
            raise Invalid(
                f"{at}depends_on[{number}]: neither an id nor a name; give 1 to {NAME_CHARS_MAX} characters"
            )
    return tuple(task.depends_on or ())


def _check_words(given: TaskFields, at: str) -> None:
    if given.run_if:
        try:
            conditions.check_written(given.run_if)
        except Invalid as error:
            raise Invalid(f"{at}run_if: {error}") from error
    if given.broadcast and given.retry is not None and given.retry.max_attempts > 1:
        raise Invalid(f"{at}retry: {RETRY_OF_BROADCAST}; leave one of them out")
    if given.broadcast and given.proplet_id and not sent_back.is_answer(given):
        raise Invalid(
            f"{at}broadcast: invalid value provided: broadcast and proplet_id are mutually exclusive; "
            "leave one of them out"
        )


def _timing(given: TaskFields, at: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if given.retry is not None:
        fields["retry"] = retry_of(given.retry, at)
    if given.deadline is not None:
        fields["deadline_ns"] = duration_ns(given.deadline, f"{at}deadline")
    if given.queue_timeout is not None:
        fields["queue_timeout_ns"] = duration_ns(given.queue_timeout, f"{at}queue_timeout")
    return fields


def _stdin(given: TaskFields, at: str) -> tuple[str | FromParent, str]:
    """Check the standard input; give it, and ``base64`` where it is that."""
    stdin, encoding = given.stdin, given.stdin_encoding or ""
    if encoding not in ("", BASE64):
        raise Invalid(f'{at}stdin_encoding: "{encoding}" is unknown; use base64, or leave it out for text')
    if not isinstance(stdin, str):
        if encoding:
            raise Invalid(f"{at}stdin_encoding: stdin is no text of the request; leave it out")
        return stdin or "", ""
    try:
        data = from_base64(stdin.encode("ascii")) if encoding else stdin.encode()
    except ValueError as error:
        raise Invalid(f"{at}stdin: not valid base64: {error}") from error
    if len(data) > STDIN_BYTES_MAX:
        raise Invalid(
            f"{at}stdin: {len(data):,} bytes are too many; give at most {STDIN_BYTES_MAX:,}, or a file in a "
            "directory (grants.dirs)"
        )
    return (b64encode(data).decode(), BASE64) if encoding else (stdin, "")


def _tags(tags: list[str], at: str) -> tuple[str, ...]:
    if len(tags) > TAGS_MAX:
        raise Invalid(f"{at}required_tags: {len(tags)} are too many; give at most {TAGS_MAX}")
    if not all(tags):
        raise Invalid(f"{at}required_tags: an empty tag; leave it out")
    return tuple(sorted(set(tags)))


def check_env(env: Mapping[str, Variable], at: str = "") -> None:
    """Raise ``Invalid`` for a variable without a proper name, or with a secret without one."""
    check_count(env, f"{at}env")
    for key, value in env.items():
        if isinstance(value, FromSecret):
            check_secret_name(value.name, f"{at}env.{key}.secret")
        if not _ENV_KEY.fullmatch(key):
            raise Invalid(f"{at}env: {key!r} can't name a variable; a name has at least one character, no =")


def _check_metadata(metadata: dict[str, Any], at: str) -> None:
    _check_depth(metadata, f"{at}metadata")
    if metadata and len(encode(metadata)) > METADATA_BYTES_MAX:
        raise Invalid(f"{at}metadata: metadata exceeds 1MB limit; make it smaller")


def _check_depth(value: dict[str, Any], where: str) -> None:
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        level = [
            child
            for outer in level
            for child in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise Invalid(f"{where}: it is nested more than {DEPTH_MAX} levels deep; flatten it")
