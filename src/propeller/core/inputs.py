"""Inputs that are the results of a task's parents; pure.

``{"from": "task-001"}`` stands for the result of a parent, and ``"${task-001}"`` for the same inside of a
text. A parent is named by its id, or by its name if only one parent has it. ``$${`` is a plain ``${``.
Standard input can be the whole result of a parent.

The newline at the end of a result is left out: a function's value is printed as a line.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import FromParent, Input, Spec, Task
from propeller.core.results import has_bytes, to_json
from propeller.core.states import COMPLETED
from propeller.errors import Invalid

_REFERENCE = re.compile(r"\$(\$\{|\{([^{}]*)\})")


def has_references(spec: Spec) -> bool:
    if isinstance(spec.stdin, FromParent):
        return True
    for value in spec.inputs or ():
        if isinstance(value, FromParent) or (isinstance(value, str) and "${" in value):
            return True
    return False


def with_ids(spec: Spec, names: Mapping[str, Sequence[str]], at: str = "") -> Spec:
    """Check that every reference means one parent, and replace names by ids.

    Args:
        spec: The task, with ids in ``depends_on``.
        names: By name, the ids of the tasks that it may refer to.
        at: The prefix that error messages begin with.

    Raises:
        Invalid: A reference means no parent, or several.

    """
    if not has_references(spec):
        return spec

    def id_of(reference: str, field: str = "inputs") -> str:
        if reference in spec.depends_on:
            return reference
        meant = [task_id for task_id in names.get(reference, ()) if task_id in spec.depends_on]
        if len(meant) == 1:
            return meant[0]
        raise Invalid(
            f"{at}{field}: {reference!r} is not one task that {spec.id} depends on; add it to depends_on, "
            "or write $${ where a plain ${ is meant"
        )

    inputs: list[Input] = []
    for value in spec.inputs or ():
        if isinstance(value, FromParent):
            inputs.append(FromParent(id_of(value.task)))
        elif isinstance(value, str):
            inputs.append(_replaced(value, lambda found: f"${{{id_of(found)}}}", keeps_escapes=True))
        else:
            inputs.append(value)
    if isinstance(spec.stdin, FromParent):
        spec = msgspec.structs.replace(spec, stdin=FromParent(id_of(spec.stdin.task, "stdin")))
    return msgspec.structs.replace(spec, inputs=None if spec.inputs is None else tuple(inputs))


def missing(task: Task) -> Failure | None:
    """Give the failure of a task with an input whose parent has no result, or no text; None if all have."""
    stdin = task.spec.stdin
    if isinstance(stdin, FromParent) and _result_of(task, stdin.task) is None:
        return _without_result(task, "stdin: it", stdin.task)
    for wanted in _references(task.spec):
        results = _result_of(task, wanted)
        if results is None:
            return _without_result(task, "inputs: an input", wanted)
        if has_bytes(results):
            error = (
                f"inputs: an input is the result of task {wanted}, which is no text; as stdin the task would "
                "get it as it is, and a program finds it as base64 in PROPELLER_PARENT_RESULTS"
            )
            return Failure(error, ErrorKind.INPUTS)
    return None


def _result_of(task: Task, wanted: str) -> Any:
    return next((parent.results for parent in task.parents if parent.id == wanted), None)


def _without_result(task: Task, what: str, wanted: str) -> Failure:
    parent = next((parent for parent in task.parents if parent.id == wanted), None)
    state = "" if parent is None else f": it is {parent.state.name.lower()}"
    return Failure(f"{what} is the result of task {wanted}, which has none{state}", ErrorKind.INPUTS)


def stdin(task: Task) -> tuple[str, str]:
    """Give the standard input and its encoding, ``base64`` or ``""``; a parent's result stays as it is."""
    spec = task.spec
    if not isinstance(spec.stdin, FromParent):
        return spec.stdin, spec.stdin_encoding
    results, encoding = to_json(_result_of(task, spec.stdin.task))
    if isinstance(results, str):
        return results, encoding
    return json.dumps(results, ensure_ascii=False), ""


def resolved(task: Task) -> tuple[int | float | str, ...]:
    """Give the inputs with the parents' results filled in; only for a task without ``missing`` ones."""
    texts = {
        parent.id: _text(parent.results)
        for parent in task.parents
        if parent.results is not None
        and not has_bytes(parent.results)
        and (parent.state is COMPLETED or parent.was_up)
    }
    inputs: list[int | float | str] = []
    for value in task.spec.inputs or ():
        if isinstance(value, FromParent):
            inputs.append(texts[value.task])
        elif isinstance(value, str):
            inputs.append(_replaced(value, texts.__getitem__))
        else:
            inputs.append(value)
    return tuple(inputs)


def known(spec: Spec) -> tuple[int | float | str | None, ...]:
    """Give the inputs as the guest will get them; None for one that has a parent's result in it."""
    return tuple(map(_known, spec.inputs or ()))


def _known(value: Input) -> int | float | str | None:
    if not isinstance(value, str):
        return None if isinstance(value, FromParent) else value
    refers = any(match[2] is not None for match in _REFERENCE.finditer(value))
    return None if refers else _replaced(value, str)


def _text(results: Any) -> str:
    text = results if isinstance(results, str) else json.dumps(results, ensure_ascii=False)
    return text.removesuffix("\n")


def _references(spec: Spec) -> list[str]:
    found: list[str] = []
    for value in spec.inputs or ():
        if isinstance(value, FromParent):
            found.append(value.task)
        elif isinstance(value, str) and "${" in value:
            found += [match[2] for match in _REFERENCE.finditer(value) if match[2] is not None]
    return found


def _replaced(text: str, by: Callable[[str], str], *, keeps_escapes: bool = False) -> str:
    if "${" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0] if keeps_escapes else "${"
        return by(match[2])

    return _REFERENCE.sub(replacement, text)
