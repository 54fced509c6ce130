"""How tasks that depend on each other are drawn: below their parents, with state, time and result.

A task with several parents stands once, below the last of them, and says so. Trees that are too deep for the
screen become lists; those that are too long show what is going on and count the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from propeller.cli import words
from propeller.cli.session import Session
from propeller.cli.views import outcome

_INDENT = 4
#: Room that a line needs beside its indentation.
_LINE_CHARS = 40


def tree(
    session: Session,
    tasks: Sequence[Any],
    *,
    title: str,
    names: Mapping[str, str] | None = None,
    lines_max: int | None = None,
) -> Tree:
    """Draw tasks.

    Args:
        session: Where they are printed.
        tasks: As the API has them.
        title: What stands at the root.
        names: What people call a task, by its id, where that is not the id.
        lines_max: How many lines there are for it; None for as many as it takes.

    """
    root = Tree(Text(words.one_line(title, 200), style="bold"))
    by_id = {task["id"]: task for task in tasks}
    parents = {task["id"]: [id_ for id_ in task.get("depends_on") or [] if id_ in by_id] for task in tasks}
    order, depth = _arranged(parents)
    if lines_max is not None and len(order) + 1 > lines_max:
        order = _busiest(order, by_id, lines_max - 2)
        depth = dict.fromkeys(order, 1)
    is_flat = max(depth.values(), default=1) * _INDENT + _LINE_CHARS > session.out.width
    is_flat = is_flat or len(order) < len(by_id)
    branches: dict[str, Tree] = {}
    for task_id in order:
        above = None if is_flat or not parents[task_id] else branches[parents[task_id][-1]]
        named = parents[task_id] if is_flat or len(parents[task_id]) > 1 else []
        branches[task_id] = (above or root).add(_label(session, by_id[task_id], names or {}, named))
    if len(order) < len(by_id):
        root.add(Text(f"… and {len(by_id) - len(order)} more", style="dim"))
    return root


def _arranged(parents: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, int]]:
    """Return the tasks with each behind its parents, and how deep each stands below its last one.

    A task keeps its place in the order given wherever that allows it.
    """
    missing = {task_id: len(set(above)) for task_id, above in parents.items()}
    children: dict[str, list[str]] = {task_id: [] for task_id in parents}
    for task_id, above in parents.items():
        for parent in set(above):
            children[parent].append(task_id)
    ready = [task_id for task_id, count in missing.items() if count == 0]
    depth: dict[str, int] = {}
    for task_id in ready:  # it grows while it is walked
        depth[task_id] = 1 + (depth[parents[task_id][-1]] if parents[task_id] else 0)
        for child in children[task_id]:
            missing[child] -= 1
            if missing[child] == 0:
                ready.append(child)
    return ready, depth


def _busiest(order: list[str], by_id: Mapping[str, Any], count: int) -> list[str]:
    """Choose what people want to see first: what failed, what runs, what waits, what comes next."""
    rank = {words.FAILED: 0, words.INTERRUPTED: 0, words.RUNNING: 1, words.SCHEDULED: 2, words.PENDING: 3}
    wanted = sorted(order, key=lambda task_id: rank.get(by_id[task_id]["state"], 4))[: max(count, 0)]
    shown = set(wanted)
    return [task_id for task_id in order if task_id in shown]


def _label(session: Session, task: Any, names: Mapping[str, str], after: Sequence[str]) -> Text:
    label = Text()
    label.append_text(words.icon(task["state"], is_unicode=session.out.encoding.startswith("utf")))
    label.append(f" {words.one_line(names.get(task['id'], task['id']))}  ", style="bold")
    label.append_text(words.state(task["state"]))
    if words.has_ended(task["state"]) or task["state"] == words.RUNNING:
        is_running = task["state"] == words.RUNNING
        taken = words.took(task["start_time"], None if is_running else task["finish_time"])
        label.append(f"  {taken}" if taken else "", style="dim")
    said = outcome(task, 200)
    label.append(f"  {said}" if said else "")
    if after:
        label.append(f"  (after {words.one_line(', '.join(names.get(p, p) for p in after))})", style="dim")
    return label
