"""Checks of ``depends_on``: it names tasks of the same group, and makes no cycle.

Messages are those of the contract (``http-api``, section 4), for cycles of any length.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from propeller.core.model import Spec
from propeller.errors import Invalid


def resolve_dependencies(specs: Sequence[Spec], existing: Iterable[Spec] = ()) -> tuple[Spec, ...]:
    """Return ``specs`` with ``depends_on`` as distinct ids, or raise ``Invalid``.

    A dependency is looked up by id, and then by name if only one task has that name.

    Args:
        specs: The new tasks of one group.
        existing: The tasks that the group has already; they can't depend on new ones.

    """
    if not any(spec.depends_on for spec in specs):
        return tuple(specs)
    known = [*existing, *specs]
    ids = {spec.id for spec in known}
    by_name: dict[str, list[str]] = {}
    for spec in known:
        by_name.setdefault(spec.name, []).append(spec.id)

    resolved = []
    for spec in specs:
        if not spec.depends_on:
            resolved.append(spec)
            continue
        parents = dict.fromkeys(_find(spec, wanted, ids, by_name) for wanted in spec.depends_on)
        resolved.append(msgspec.structs.replace(spec, depends_on=tuple(parents)))
    if cycle := cycle_in({spec.id: spec.depends_on for spec in resolved}):
        raise Invalid(cycle_text(cycle))
    return tuple(resolved)


def _find(spec: Spec, wanted: str, ids: set[str], by_name: Mapping[str, list[str]]) -> str:
    if wanted in ids:
        return wanted
    named = by_name.get(wanted, [])
    if len(named) == 1:
        return named[0]
    if named:
        raise Invalid(
            f"dependency validation failed: depends_on of task {spec.id} names {wanted}, "
            f"but {len(named)} tasks have that name: use the id of one"
        )
    raise Invalid(
        f"dependency validation failed: dependency task not found: task {spec.id} "
        f"depends on {wanted} which does not exist"
    )


def cycle_in(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Find a cycle: ids each of which depends on the next, and the last on the first; empty if there is none.

    It is walked depth first with a stack of its own: a chain may be longer than Python's stack.
    """
    done: set[str] = set()
    for root in parents:
        path: dict[str, None] = {}
        stack = [(root, iter(parents[root]))] if root not in done else []
        path[root] = None
        while stack:
            task_id, rest = stack[-1]
            for parent in rest:
                if parent in path:
                    return [*path][[*path].index(parent) :]
                if parent in parents and parent not in done:
                    path[parent] = None
                    stack.append((parent, iter(parents[parent])))
                    break
            else:
                stack.pop()
                del path[task_id]
                done.add(task_id)
    return []


def cycle_text(cycle: Sequence[str]) -> str:
    """Say what is wrong with a cycle."""
    prefix = "DAG validation failed: circular dependency detected: "
    if len(cycle) == 1:
        return f"{prefix}task {cycle[0]} depends on itself"
    text = f"{prefix}cycle detected involving tasks {cycle[0]} and {cycle[1]}"
    if len(cycle) > 2:
        shown = cycle if len(cycle) <= 12 else [*cycle[:6], "…", *cycle[-5:]]
        text += f" (each depends on the next: {', '.join(shown)}, {cycle[0]})"
    return text
