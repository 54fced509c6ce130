"""Follows a workflow or a job while it runs: a live tree on a terminal, a line a change elsewhere."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import typer
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from propeller.cli import words
from propeller.cli.runfile import Plan
from propeller.cli.session import Session
from propeller.cli.views import outcome


class Kind(StrEnum):
    WORKFLOW = "workflow"
    JOB = "job"


def run(session: Session, kind: Kind, group_id: str, plan: Plan, *, detach: bool) -> None:
    """Start it and stay until it has ended; the exit code is 1 where a task failed or was interrupted.

    Ctrl-C stops it.
    """
    client = session.client
    start = client.start_workflow if kind is Kind.WORKFLOW else client.start_job
    stop = client.stop_workflow if kind is Kind.WORKFLOW else client.stop_job
    if detach:
        answer = start(group_id)
        session.show(
            answer, lambda _: f"{kind} {group_id} started; look with: propeller {kind}s view {group_id}"
        )
        return
    board = Board(session, kind, group_id, plan.local_ids)
    try:
        with board.shown() as show:
            is_started = False
            only = {"workflow_id": "", "job_id": "", f"{kind}_id": group_id}
            for event in client.follow(workflow_id=only["workflow_id"], job_id=only["job_id"]):
                if event is not None:
                    board.change(event["task_id"], dict(event))
                elif is_started:
                    board.reload()
                else:
                    board.reload()
                    start(group_id)
                    is_started = True
                show()
                if is_started and board.has_ended:
                    break
            board.reload()
            show()
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):
            stop(group_id)
        session.remark(f"{kind} {group_id} stopped")
        raise typer.Exit(130) from None
    board.show_end()
    if any(task["state"] in (words.FAILED, words.INTERRUPTED) for task in board.tasks.values()):
        raise typer.Exit(1)


class Board:
    """What is known of the tasks of one group."""

    def __init__(self, session: Session, kind: Kind, group_id: str, names: dict[str, str]) -> None:
        self._session = session
        self._kind = kind
        self._id = group_id
        self._names = names
        self.answer: Any = None
        self.tasks: dict[str, dict[str, Any]] = {}

    @property
    def has_ended(self) -> bool:
        return all(words.has_ended(task["state"]) for task in self.tasks.values())

    def reload(self) -> None:
        """Ask for the whole of it: when it begins, when the stream broke, and at the end."""
        client = self._session.client
        self.answer = client.workflow(self._id) if self._kind is Kind.WORKFLOW else client.job(self._id)
        for task in self.answer["tasks"]:
            if task["id"] not in self.tasks:
                self.tasks[task["id"]] = dict(task)
            else:
                self.change(task["id"], dict(task))

    def change(self, task_id: str, news: dict[str, Any]) -> None:
        task = self.tasks.setdefault(task_id, {"id": task_id, "start_time": "", "finish_time": ""})
        is_new = task.get("state") != news["state"]
        task.update(news)
        if is_new and not self._is_live:
            self._session.out.print(self._line(task))

    @property
    def _is_live(self) -> bool:
        return self._session.out.is_terminal or self._session.as_json

    def _line(self, task: dict[str, Any]) -> str:
        line = f"{self._names.get(task['id'], task['id'])}: {words.state_name(task['state'])}"
        return f"{line}: {outcome(task)}" if outcome(task) else line

    @contextlib.contextmanager
    def shown(self) -> Iterator[Any]:
        """Show the tree while it runs, on a terminal; yields what draws it again."""
        if not self._session.out.is_terminal or self._session.as_json:
            yield lambda: None
            return
        with Live(console=self._session.out, refresh_per_second=20) as view:
            yield lambda: view.update(self._tree())

    def _tree(self) -> Tree:
        title = f"{self._kind} {self._id}"
        return tree(self._session, list(self.tasks.values()), title=title, names=self._names)

    def show_end(self) -> None:
        if self._session.as_json:
            self._session.show_json(self.answer)
        elif not self._session.out.is_terminal:
            self._session.out.print(self._tree())


def tree(session: Session, tasks: list[Any], *, title: str, names: dict[str, str] | None = None) -> Tree:
    """Draw tasks below their parents; one with several stands below the last of them, and says so."""
    names = names or {}
    is_unicode = session.out.encoding.startswith("utf")
    root = Tree(words.plain(title))
    branches: dict[str, Tree] = {}
    waiting = list(tasks)
    while waiting:
        later = []
        for task in waiting:
            parents = task.get("depends_on") or []
            if all(parent in branches for parent in parents):
                above = branches[parents[-1]] if parents else root
                branches[task["id"]] = above.add(_label(task, names, is_unicode=is_unicode))
            else:
                later.append(task)
        if len(later) == len(waiting):  # a parent was deleted meanwhile
            for task in later:
                root.add(_label(task, names, is_unicode=is_unicode))
            break
        waiting = later
    return root


def _label(task: Any, names: dict[str, str], *, is_unicode: bool) -> Text:
    label = words.icon(task["state"], is_unicode=is_unicode)
    label.append(f" {words.one_line(names.get(task['id'], task['id']))} ", style="bold")
    label.append_text(words.state(task["state"]))
    if words.has_ended(task["state"]):
        label.append(f" {words.took(task['start_time'], task['finish_time'])}", style="dim")
    if outcome(task):
        label.append(f"  {outcome(task)}")
    parents = task.get("depends_on") or []
    if len(parents) > 1:
        shown = ", ".join(names.get(parent, parent) for parent in parents)
        label.append(f"  (after {words.one_line(shown)})", style="dim")
    return label
