"""Inputs that are taken from what the parents of a task returned; pure.

``{"from": "task-001"}`` stands for the result of a parent, and ``"${task-001}"`` for the same inside of a
text. A parent is named by its id, or by its name where only one has it. ``$${`` is a plain ``${``.

The newline at the end of a result is left out: a function's value stands on a line of its own.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import FromParent, Input, Spec, Task
from propeller.core.results import has_bytes
from propeller.core.states import COMPLETED
from propeller.errors import Invalid

_REFERENCE = re.compile(r"\$(\$\{|\{([^{}]*)\})")


def has_references(spec: Spec) -> bool:
    for value in spec.inputs or ():
        if isinstance(value, FromParent) or (isinstance(value, str) and "${" in value):
            return True
    return False


def with_ids(spec: Spec, names: Mapping[str, Sequence[str]], at: str = "") -> Spec:
    """Check that every reference means one parent, and write its id in place of a name.

    Args:
        spec: With the ids of its parents.
        names: The ids of the tasks that have a name, among those the task may refer to.
        at: What messages call the task.

    """
    if not has_references(spec):
        return spec

    def id_of(reference: str) -> str:
        if reference in spec.depends_on:
            return reference
        meant = [task_id for task_id in names.get(reference, ()) if task_id in spec.depends_on]
        if len(meant) == 1:
            return meant[0]
        raise Invalid(
            f"{at}inputs: {reference!r} is not one task that {spec.id} depends on; add it to depends_on, "
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
    return msgspec.structs.replace(spec, inputs=tuple(inputs))


def missing(task: Task) -> Failure | None:
    """Say which result an input needs and no parent has, or not as text; None where none is missing."""
    for wanted in _references(task.spec):
        parent = next((parent for parent in task.parents if parent.id == wanted), None)
        if parent is None or parent.results is None:
            state = "" if parent is None else f": it is {parent.state.name.lower()}"
            error = f"inputs: an input is the result of task {wanted}, which has none{state}"
            return Failure(error, ErrorKind.INPUTS)
        if has_bytes(parent.results):
            error = (
                f"inputs: an input is the result of task {wanted}, which is no text; a program finds it as "
                "base64 in PROPELLER_PARENT_RESULTS and /propeller/parents.json"
            )
            return Failure(error, ErrorKind.INPUTS)
    return None


def resolved(task: Task) -> tuple[int | float | str, ...]:
    """Give the inputs with the results of the parents in them; ``missing`` has found none missing."""
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
