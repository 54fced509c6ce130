"""Runs a workflow or a job and shows its progress: a live tree on a terminal, elsewhere a line a change."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from propeller.cli.board import Board
from propeller.cli.heeding import check_all_heeded
from propeller.cli.runfile import Plan
from propeller.cli.session import Session
from propeller.cli.tree import tree
from propeller.client.errors import Unreachable
from propeller.errors import PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client

_REFRESHES_PER_S = 12


@dataclass
class Target:
    """A workflow or a job that has been created, and the requests about it."""

    #: ``workflow`` or ``job``.
    kind: str
    id: str
    start: Callable[[str], Any]
    stop: Callable[[str], Any]
    look: Callable[[str], Any]
    #: The same without its tasks, if the manager can leave them out.
    look_briefly: Callable[[str], Any]

    @property
    def title(self) -> str:
        return f"{self.kind} {self.id}"


def create_workflow(session: Session, plan: Plan) -> Target:
    client = session.client
    if plan.execution_mode:
        session.remark("execution_mode is for jobs; a workflow follows depends_on")
    if plan.fail_fast is not None:
        session.remark("fail_fast is for jobs; in a workflow a failure concerns only tasks that depend on it")
    created = client.create_workflow(plan.tasks, name=plan.name)["tasks"]
    workflow_id = created[0]["workflow_id"]
    check_all_heeded(plan.tasks, created, f"workflow {workflow_id} is not started")
    _upload(session, plan)
    return target(client, "workflow", workflow_id)


def create_job(session: Session, plan: Plan) -> Target:
    client = session.client
    created = client.create_job(
        plan.tasks, name=plan.name, execution_mode=plan.execution_mode, fail_fast=plan.fail_fast
    )
    check_all_heeded(plan.tasks, created["tasks"], f"job {created['job_id']} is not started")
    _upload(session, plan)
    return target(client, "job", created["job_id"])


def target(client: "Client", kind: str, group_id: str) -> Target:
    if kind == "job":
        return Target(kind, group_id, client.start_job, client.stop_job, client.job, client.job_summary)
    look_briefly = partial(client.workflow, with_tasks=False)
    start, stop = client.start_workflow, client.stop_workflow
    return Target(kind, group_id, start, stop, client.workflow, look_briefly)


def _upload(session: Session, plan: Plan) -> None:
    for task_id, module in plan.uploads.items():
        session.client.upload_task_file(task_id, "module.wasm", module)


def run(session: Session, target: Target, plan: Plan, *, detach: bool) -> None:
    """Start a workflow or a job, and show it until it has ended. Ctrl-C stops it.

    The exit code is 1 if a task failed or was interrupted, and 130 after Ctrl-C.
    """
    if detach:
        hint = f"{target.title} started; look with: propeller {target.kind}s view {target.id}"
        session.show(target.start(target.id), lambda _: hint)
        return
    board = Board(target.look(target.id)["tasks"], plan.local_ids)
    is_stopped = False
    with _shown(session, target, board) as show:
        try:
            for changed in follow(session.client, target, board):
                show(changed)
        except KeyboardInterrupt:
            is_stopped = True
            with contextlib.suppress(PropellerError):  # where all has ended there is nothing to stop
                target.stop(target.id)
        answer = target.look(target.id)
        show(board.take_answer(answer["tasks"]))
    if session.as_json:
        session.show_json(answer)
    else:
        session.out.print(tree(session, [*board.tasks.values()], title=target.title, names=board.names))
        session.out.print(board.summary())
    if is_stopped:
        session.remark(f"{target.title} was stopped")
        raise typer.Exit(130)
    if not board.has_succeeded:
        raise typer.Exit(1)


def follow(client: "Client", target: Target, board: Board) -> Iterator[list[str]]:
    """Start a workflow or a job and follow it to its end; yields the ids of tasks whose state has changed."""
    is_started = False
    only = {f"{target.kind}_id": target.id}
    for event in client.follow(**only):  # type: ignore[arg-type]
        if event is not None:
            yield board.take_event(event)
        elif is_started:
            with contextlib.suppress(Unreachable):  # the stream breaks too then, and comes back or gives up
                yield _catch_up(target, board)
        else:
            target.start(target.id)
            is_started = True
        if is_started and board.has_ended:
            return


def _catch_up(target: Target, board: Board) -> list[str]:
    """Look at all tasks if the stream has left something out; return the ids of tasks that changed."""
    answer = target.look_briefly(target.id)
    if "tasks" not in answer:
        if board.agrees_with(answer["counts"]):
            return []
        answer = target.look(target.id)
    return board.take_answer(answer["tasks"])


@contextlib.contextmanager
def _shown(session: Session, target: Target, board: Board) -> Iterator[Callable[[list[str]], None]]:
    """Yield a function that shows changes: as a live tree, or as lines where there is no terminal.

    With ``--json`` it shows nothing.
    """

    def show(changed: list[str]) -> None:
        if not session.as_json and not session.out.is_terminal:
            for task_id in changed:
                session.out.print(board.line(task_id))

    if session.as_json or not session.out.is_terminal:
        yield show
    else:

        def draw() -> Group:
            room = session.out.height - 3  # for the title, a word about the rest, and the summary
            count = len(board.tasks)
            tasks = [*board.tasks.values()] if count <= room else board.busiest(room - 1)
            left_out = count - len(tasks)
            drawn = tree(session, tasks, title=target.title, names=board.names, left_out=left_out)
            return Group(drawn, Text(board.summary(), style="dim"))

        # The tree is drawn at a pace of its own, however many changes there are, and vanishes at the end.
        with Live(
            console=session.out, get_renderable=draw, refresh_per_second=_REFRESHES_PER_S, transient=True
        ):
            yield show
