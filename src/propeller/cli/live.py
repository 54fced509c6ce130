"""Runs a workflow or a job and shows how it goes.

On a terminal it is a header with counts and below it the tasks, redrawn in place. Elsewhere it is a line for
each task of a few that ends, and of many only the failures and now and then the counts. At the end come the
tasks, or the busiest of many, and all failures with the command that shows their logs.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from propeller.cli import formatting, schedules
from propeller.cli.board import Board
from propeller.cli.heeding import check_all_heeded
from propeller.cli.runfile import Plan
from propeller.cli.session import Session
from propeller.cli.tree import tree
from propeller.client.contract import WorkflowLooks
from propeller.client.errors import Unreachable
from propeller.client.events import Pace
from propeller.core.states import FAILED
from propeller.errors import Invalid, PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client

_REFRESHES_PER_S = 12
#: With more tasks, only failures have lines of their own, and the end does not show all of them.
_FEW = 50
_FAILURES_SHOWN = 20
#: How often the counts are printed where nothing is redrawn.
_COUNTS_EVERY_S = 5.0


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
    #: It runs by itself.
    has_schedule: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind} {self.id}"


def create_workflow(session: Session, plan: Plan) -> Target:
    client = session.client
    if plan.execution_mode:
        session.remark("execution_mode is for jobs; a workflow follows depends_on")
    more = of_workflow(plan.fields)
    created = client.create_workflow(plan.tasks, name=plan.name, more=more)["tasks"]
    workflow_id = created[0]["workflow_id"]
    check_all_heeded(
        plan.tasks,
        created,
        f"workflow {workflow_id} is not started",
        of_group=more,
        look=lambda: client.workflow(workflow_id, with_tasks=False),
    )
    _upload(session, plan)
    return replace(target(client, "workflow", workflow_id), has_schedule="schedule" in plan.fields)


def of_workflow(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a workflow does anyway: not even a manager that only knows the contract stops it."""
    return {name: value for name, value in fields.items() if (name, value) != ("fail_fast", False)}


def create_job(session: Session, plan: Plan) -> Target:
    client = session.client
    created = client.create_job(
        plan.tasks,
        name=plan.name,
        execution_mode=plan.execution_mode,
        more=plan.fields,
    )
    check_all_heeded(
        plan.tasks,
        created["tasks"],
        f"job {created['job_id']} is not started",
        of_group=plan.fields,
        look=lambda: client.job_summary(created["job_id"]),
    )
    _upload(session, plan)
    return replace(target(client, "job", created["job_id"]), has_schedule="schedule" in plan.fields)


def target(client: "Client", kind: str, group_id: str) -> Target:
    if kind == "job":
        return Target(kind, group_id, client.start_job, client.stop_job, client.job, client.job_summary)
    start, stop = client.start_workflow, client.stop_workflow
    return Target(kind, group_id, start, stop, client.workflow, WorkflowLooks(client))


def show_started(session: Session, answer: Any) -> None:
    """Print that a workflow or a job was started, or which copy of it."""
    if answer.get("run_id") and not session.as_json:
        session.remark(f"run {answer['run_id']}")
    session.show_done(answer)


def _upload(session: Session, plan: Plan) -> None:
    for task_id, module in plan.uploads.items():
        session.client.upload_task_file(task_id, "module.wasm", module)


def run(session: Session, target: Target, *, detach: bool) -> None:
    """Start a workflow or a job, and show it until it has ended. Ctrl-C stops it.

    One with a schedule is not started: it is shown when it will be.

    The exit code is 1 if a task failed or was interrupted, and 130 after Ctrl-C.
    """
    if target.has_schedule:
        answer = session.client.schedule(f"{target.kind}s", target.id)
        pause = f"propeller {target.kind}s schedule {target.id} --pause"
        session.remark(f"{target.title} runs by itself; to pause that: {pause}")
        session.show(answer, lambda shown: schedules.lines(session, shown))
        return
    if detach:
        hint = f"{target.title} started; look with: propeller {target.kind}s watch {target.id}"
        session.show(target.start(target.id), lambda _: hint)
        return
    _stay(session, target, starts=True)


def watch(session: Session, target: Target) -> None:
    """Show one that was started before until it has ended; the exit code is as ``run`` has it.

    Ctrl-C leaves it running.

    Raises:
        Invalid: It has a schedule: it is the pattern of its runs, and never ends.

    """
    if target.look_briefly(target.id).get("schedule"):
        raise Invalid(
            f"{target.title} has a schedule, and each of its runs is a {target.kind} of its own; find one "
            f"with: propeller {target.kind}s list"
        )
    _stay(session, target, starts=False)


def _stay(session: Session, target: Target, *, starts: bool) -> None:
    board = Board(target.look(target.id)["tasks"])
    is_broken_off = False
    hint = "Ctrl-C stops it" if starts else "Ctrl-C leaves it running"
    with _shown(session, f"{target.title}  ({hint})", board) as show:
        try:
            for changed in follow(session.client, target, board, starts=starts):
                show(changed)
        except KeyboardInterrupt:
            is_broken_off = True
            if starts:
                session.remark(f"stopping {target.title}")
                with contextlib.suppress(PropellerError):  # where all has ended there is nothing to stop
                    target.stop(target.id)
        answer = target.look(target.id)
        show(board.take_answer(answer["tasks"]))
    if session.as_json:
        session.show_json(answer)
    else:
        _show_end(session, target, board)
    if is_broken_off:
        back = f"it goes on; come back with: propeller {target.kind}s watch {target.id}"
        session.remark(f"{target.title} was stopped" if starts else back)
        raise typer.Exit(130)
    if not board.has_succeeded:
        raise typer.Exit(1)


def follow(client: "Client", target: Target, board: Board, *, starts: bool = True) -> Iterator[list[str]]:
    """Start it, or take it as it is, and follow it to its end; yields the ids of tasks that moved."""
    is_started = not starts
    pace = Pace()
    only = {f"{target.kind}_id": target.id}
    for event in client.follow(**only, pace=pace):  # type: ignore[arg-type]
        if event is not None:
            yield board.take_event(event)
        elif is_started:
            with contextlib.suppress(Unreachable):  # the stream breaks too then, and comes back or gives up
                if changed := _catch_up(target, board):
                    pace.quicken()
                yield changed
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
def _shown(session: Session, title: str, board: Board) -> Iterator[Callable[[list[str]], None]]:
    """Yield what shows changes: nothing with ``--json``, lines, or on a terminal what is redrawn."""
    if session.as_json:
        yield lambda _changed: None
    elif not session.out.is_terminal:
        yield Lines(session, board).show
    else:
        # It is drawn at a pace of its own, whatever the number of changes, and makes room for the end.
        with Live(
            console=session.out,
            get_renderable=lambda: drawing(session, title, board),
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
        ):
            yield lambda _changed: None


def drawing(session: Session, title: str, board: Board) -> Group:
    """Draw a header, and below it as many tasks as the screen has lines for: one each."""
    room = session.out.height - 3  # for the header, and a word about the rest
    count = len(board.tasks)
    tasks = [*board.tasks.values()] if count <= room else board.busiest(room - 1)
    drawn = tree(session, tasks, title=title, left_out=count - len(tasks), is_cut=True)
    return Group(Text(board.summary(), style="bold", no_wrap=True, overflow="ellipsis"), drawn)


class Lines:
    """Prints what happens where nothing can be redrawn."""

    def __init__(self, session: Session, board: Board) -> None:
        self._session = session
        self._board = board
        self._failures = 0
        self._counted_at = time.monotonic()

    def show(self, changed: list[str]) -> None:
        is_few = len(self._board.tasks) <= _FEW
        for task_id in changed:
            state = self._board.tasks[task_id]["state"]
            if state == FAILED and not is_few:
                self._failures += 1
            if formatting.has_ended(state) and (
                is_few or (state == FAILED and self._failures <= _FAILURES_SHOWN)
            ):
                self._print(self._board.line(task_id))
        if not is_few and time.monotonic() - self._counted_at >= _COUNTS_EVERY_S:
            self._counted_at = time.monotonic()
            self._print(self._board.summary())

    def _print(self, line: str) -> None:
        self._session.out.print(line)
        self._session.out.file.flush()


def _show_end(session: Session, target: Target, board: Board) -> None:
    """Print what became of it: tasks, failures in words, and the counts at last."""
    count = len(board.tasks)
    tasks = [*board.tasks.values()] if count <= _FEW else board.busiest(_FAILURES_SHOWN)
    session.out.print(tree(session, tasks, title=target.title, left_out=count - len(tasks)))
    if count > _FEW:
        session.remark(f"all of them: propeller tasks list --{target.kind} {target.id} --all")
    failed = [task for task in board.tasks.values() if task["state"] == FAILED]
    for task in failed[:_FAILURES_SHOWN]:
        why = formatting.plain(task.get("error", "")).strip()
        session.out.print(Text(f"\n{formatting.one_line(task['id'], 255)} failed: {why}", style="red"))
        session.out.print(f"  its logs: propeller tasks logs {task['id']}", soft_wrap=True)
    if len(failed) > _FAILURES_SHOWN:
        more = f"propeller tasks list --{target.kind} {target.id} --state failed --all"
        session.out.print(f"\n… and {len(failed) - _FAILURES_SHOWN} more failed: {more}", soft_wrap=True)
    session.out.print(board.summary())
