"""Draws tasks below the tasks that they depend on, with state, time and result.

A task with several parents is drawn once, below the last of them, and names them all. A tree that is too deep
for the screen becomes a list. So does a tree of which only a part is shown; the rest is counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from propeller.cli import formatting
from propeller.cli.session import Session
from propeller.cli.views import outcome
from propeller.core.states import RUNNING, SCHEDULED

_INDENT = 4
#: Room that a line needs beside its indentation.
_LINE_CHARS = 40


def tree(
    session: Session,
    tasks: Sequence[Any],
    *,
    title: str,
    left_out: int = 0,
    is_cut: bool = False,
) -> Tree:
    """Draw tasks.

    Args:
        session: The session that prints them.
        tasks: The tasks, as the API has them.
        title: The text at the root.
        left_out: How many more tasks there are; if there are any, the tree becomes a list.
        is_cut: True to give each task one line, cut where the screen ends.

    """
    root = Tree(Text(formatting.one_line(title, 200), style="bold"))
    by_id = {task["id"]: task for task in tasks}
    above = {task["id"]: task.get("depends_on") or [] for task in tasks}
    parents = {task_id: [id_ for id_ in ids if id_ in by_id] for task_id, ids in above.items()}
    order, depth = _arranged(parents)
    is_flat = left_out > 0 or max(depth.values(), default=1) * _INDENT + _LINE_CHARS > session.out.width
    if left_out:
        order, parents = list(by_id), above
    branches: dict[str, Tree] = {}
    for task_id in order:
        parent = None if is_flat or not parents[task_id] else branches[parents[task_id][-1]]
        named = parents[task_id] if is_flat or len(parents[task_id]) > 1 else []
        label = _label(session, by_id[task_id], named)
        if is_cut:
            label.no_wrap, label.overflow = True, "ellipsis"
        branches[task_id] = (parent or root).add(label)
        if "runs_workflow" in by_id[task_id]:
            branches[task_id].add(_inner_label(by_id[task_id]))
    if left_out:
        root.add(Text(f"… and {left_out} more", style="dim"))
    return root


def _arranged(parents: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, int]]:
    """Return the tasks, each behind its parents, and how deep each is below its last parent.

    Otherwise the tasks stay in the given order.
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


def _inner_label(task: Any) -> Text:
    """Name the workflow of the last attempt of a task, and how it is."""
    label = Text(f"workflow {formatting.one_line(task['runs_workflow'], 255)}", style="dim")
    if task["state"] != SCHEDULED:  # else the attempt failed, and the next one is to come
        label.append("  ").append_text(formatting.state(task["state"]))
    return label


def _label(session: Session, task: Any, after: Sequence[str]) -> Text:
    label = Text()
    label.append_text(formatting.icon(task["state"], is_unicode=session.out.encoding.startswith("utf")))
    label.append(f" {formatting.one_line(task['id'], 255)}  ", style="bold")
    label.append_text(formatting.state(task["state"]))
    if formatting.has_ended(task["state"]) or task["state"] == RUNNING:
        is_running = task["state"] == RUNNING
        taken = formatting.took(task["start_time"], None if is_running else task["finish_time"])
        label.append(f"  {taken}" if taken else "", style="dim")
    said = outcome(task, 200)
    label.append(f"  {said}" if said else "")
    if after:
        label.append(f"  (after {formatting.one_line(', '.join(after))})", style="dim")
    return label
