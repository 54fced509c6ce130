"""Inputs that are the results of a task's parents; pure.

``{"from": "task-001"}`` stands for the result of a parent, and ``"${task-001}"`` for the same inside of a
text. A parent is named by its id, or by its name if only one parent has it. ``$${`` is a plain ``${``.
Standard input can be the whole result of a parent.

The newline at the end of a result is left out: a function's value is printed as a line.

A task may wait long for a proplet, and a result that counted when it began to wait may count no longer when
it is placed. So whoever sends a start asks ``given``, which has either all that it needs or the failure.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import FromParent, Input, Spec, Task
from propeller.core.results import has_bytes, to_guest, to_json
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

    return _with_references(spec, id_of)


def with_other_ids(spec: Spec, ids: Mapping[str, str]) -> Spec:
    """Replace the ids of parents in the references of a task that is there already."""
    if not has_references(spec):
        return spec

    def id_of(reference: str, _field: str = "") -> str:
        return ids.get(reference, reference)

    return _with_references(spec, id_of)


def _with_references(spec: Spec, id_of: Callable[..., str]) -> Spec:
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


class Given(NamedTuple):
    """What a task is given of its parents' results when it starts, and the inputs that they are part of."""

    inputs: tuple[int | float | str, ...]
    stdin: str
    #: ``base64`` or ``""``.
    stdin_encoding: str
    #: All results that count, by the parent's id, as a guest finds them.
    parent_results: dict[str, Any]


def given(task: Task) -> Given | Failure:
    """Give what a task is started with, or its failure if a result that it refers to does not count now."""
    results = _usable(task)
    failure = _missing(task, results)
    if failure is not None:
        return failure
    stdin, stdin_encoding = _stdin(task.spec, results)
    return Given(
        inputs=_resolved(task.spec, results),
        stdin=stdin,
        stdin_encoding=stdin_encoding,
        parent_results={parent_id: to_guest(found) for parent_id, found in results.items()},
    )


def missing(task: Task) -> Failure | None:
    """Give the failure of a task with an input whose parent has no result, or no text; None if all have."""
    return _missing(task, _usable(task)) if has_references(task.spec) else None


def _usable(task: Task) -> dict[str, Any]:
    """Give the results that count, by the id of the parent."""
    return {parent.id: parent.results for parent in task.parents if parent.counting_result is not None}


def _missing(task: Task, results: Mapping[str, Any]) -> Failure | None:
    stdin = task.spec.stdin
    if isinstance(stdin, FromParent) and stdin.task not in results:
        return _without_result(task, "stdin: it", stdin.task)
    for wanted in _references(task.spec):
        if wanted not in results:
            return _without_result(task, "inputs: an input", wanted)
        if has_bytes(results[wanted]):
            error = (
                f"inputs: an input is the result of task {wanted}, which is no text; as stdin the task would "
                "get it as it is, and a program finds it as base64 in PROPELLER_PARENT_RESULTS"
            )
            return Failure(error, ErrorKind.INPUTS)
    return None


def _without_result(task: Task, what: str, wanted: str) -> Failure:
    parent = next((parent for parent in task.parents if parent.id == wanted), None)
    state = "" if parent is None else f": it is {parent.state.name.lower()}"
    return Failure(f"{what} is the result of task {wanted}, which has none{state}", ErrorKind.INPUTS)


def _stdin(spec: Spec, results: Mapping[str, Any]) -> tuple[str, str]:
    """Give the standard input and its encoding, ``base64`` or ``""``.

    The result of a parent stays as it is, if it is text or bytes; else it is JSON, as a guest finds it.
    """
    if not isinstance(spec.stdin, FromParent):
        return spec.stdin, spec.stdin_encoding
    found = results[spec.stdin.task]
    if isinstance(found, str | bytes):
        return to_json(found)
    return json.dumps(to_guest(found), ensure_ascii=False), ""


def _resolved(spec: Spec, results: Mapping[str, Any]) -> tuple[int | float | str, ...]:
    """Give the inputs with the parents' results filled in."""
    texts = {wanted: _text(results[wanted]) for wanted in _references(spec)}
    inputs: list[int | float | str] = []
    for value in spec.inputs or ():
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
