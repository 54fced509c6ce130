"""What can be done to a record, and what will happen then, said before it is done."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from propeller.cli import formatting
from propeller.cli.top import drawing
from propeller.core.states import COMPLETED, PENDING, RUNNING, SCHEDULED
from propeller.errors import Invalid

if TYPE_CHECKING:
    from propeller.client.api import Client

_NAME_CHARS = 80


class Deed(NamedTuple):
    """Something that can be done."""

    #: As a question: "Stop workflow w?".
    question: str
    #: What will happen, in sentences.
    will: str
    #: What was done, once it is.
    done: str
    do: "Callable[[Client], Any]"


class Target(NamedTuple):
    """A workflow or a job, as far as a deed goes by it."""

    #: ``workflow`` or ``job``.
    kind: str
    id: str
    state: int
    #: How many tasks are in each state, by its name in small letters; empty where nobody has said so.
    counts: Mapping[str, int]
    has_schedule: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind} {formatting.one_line(self.id, _NAME_CHARS)}"

    @property
    def size(self) -> int:
        return sum(self.counts.values())

    @property
    def has_ended(self) -> bool:
        if not self.counts:
            return formatting.has_ended(self.state)
        is_open = any(self.counts.get(name) for name in ("pending", "scheduled", "running"))
        return self.state != PENDING and not is_open


def target(kind: str, group: Mapping[str, Any]) -> Target:
    """Make one of an answer about a workflow or a job."""
    return Target(
        kind,
        group[f"{kind}_id"],
        group.get("state", PENDING),
        counts_of(group),
        has_schedule=bool(group.get("schedule")),
    )


def counts_of(group: Mapping[str, Any]) -> Mapping[str, int]:
    """Give how many tasks of a group are in each state; a manager of the contract shows the tasks instead."""
    if "counts" in group:
        given: Mapping[str, int] = group["counts"]
        return given
    return Counter(formatting.state_name(task["state"]).lower() for task in group.get("tasks") or ())


def start(of: Target) -> Deed:
    """Start a workflow or a job, or start it again."""
    if of.has_schedule:
        will = "A copy of it starts now; its schedule stays as it is."
    elif of.has_ended:
        will = f"It has ended: all its {_tasks(of.size)} run once more, and their results are cleared."
    else:
        will = "Its tasks that wait for no other start now, and the others follow."
    return Deed(f"Start {of.title}?", will, f"{of.title} was started", _by(of, "start"))


def stop(of: Target) -> Deed:
    run, wait = _of(of, "running"), _of(of, "scheduled") + _of(of, "pending")
    if of.has_ended and not of.has_schedule:
        will = "It has ended, so nothing changes."
    else:
        will = (
            f"{_tasks(run)} that {_verb(run, 'runs', 'run')} and {wait} that {_verb(wait, 'waits', 'wait')} "
            "become Interrupted at once. What has ended stays as it is."
        )
    return Deed(f"Stop {of.title}?", will, f"{of.title} was stopped", _by(of, "stop"))


def rerun(of: Target, from_task: str = "") -> Deed:
    """Run a part of a workflow or a job again that has ended: what did not complete, or from a task on."""
    if not of.has_ended:
        raise Invalid(f"{of.title} has not ended: wait, or stop it first")
    bad = sum(_of(of, name) for name in ("failed", "interrupted", "skipped"))
    what = ""
    if from_task:
        named = formatting.one_line(from_task, _NAME_CHARS)
        question = f"Rerun {of.title} from task {named} on?"
        will = f"Task {named} and all that hangs on it run again. The others keep their results."
    elif of.state == COMPLETED and not bad:
        question, what = f"Rerun all of {of.title}?", "all"
        will = f"Nothing failed: all its {_tasks(of.size)} run once more, and their results are cleared."
    else:
        question = f"Rerun {of.title}?"
        will = (
            f"{_tasks(bad)} that failed, {_verb(bad, 'was', 'were')} interrupted or skipped, and all that "
            "hangs on them, run again. The others keep their results."
        )

    def do(client: "Client") -> Any:
        act = client.rerun_workflow if of.kind == "workflow" else client.rerun_job
        return act(of.id, what=what, from_task=from_task)

    return Deed(question, will, f"{of.title} runs again", do)


def delete(of: Target) -> Deed:
    will = f"It goes for good, with its {_tasks(of.size)}, their results and logs."
    if not of.has_ended and of.state != PENDING:
        will += " What still runs of it is stopped."
    return Deed(f"Delete {of.title}?", will, f"{of.title} was deleted", _by(of, "delete"))


def start_task(task: Mapping[str, Any]) -> Deed:
    ended = formatting.has_ended(task["state"])
    again = (
        f"It runs again, as attempt {task.get('attempt', 1) + 1}: its result is cleared. Its children stay."
    )
    return Deed(
        f"Start {_task(task)}?",
        again if ended else "It runs as soon as a proplet has room for it.",
        f"{_task(task)} was started",
        lambda client: client.start_task(task["id"]),
    )


def rerun_task(task: Mapping[str, Any]) -> Deed:
    """Run a task of a workflow or job again with all that hangs on it; any other is started again."""
    for kind in ("workflow", "job"):
        if group_id := task.get(f"{kind}_id"):
            # Whether the group has ended, the manager knows.
            return rerun(Target(kind, group_id, task["state"], {}), task["id"])
    if not formatting.has_ended(task["state"]):
        raise Invalid(f"{_task(task)} has not ended: wait, or stop it first")
    return start_task(task)


def stop_task(task: Mapping[str, Any]) -> Deed:
    will = {
        PENDING: "It does not run, and becomes Interrupted.",
        SCHEDULED: "It waits no longer, and becomes Interrupted.",
        RUNNING: "Its run is ended at once, and it becomes Interrupted. Its logs stay.",
    }
    return Deed(
        f"Stop {_task(task)}?",
        will.get(task["state"], "It has ended, so nothing changes."),
        f"{_task(task)} was stopped",
        lambda client: client.stop_task(task["id"]),
    )


def delete_task(task: Mapping[str, Any]) -> Deed:
    runs = " It runs, and is stopped." if task["state"] == RUNNING else ""
    return Deed(
        f"Delete {_task(task)}?",
        f"It goes for good, with its result and its logs.{runs}",
        f"{_task(task)} was deleted",
        lambda client: client.delete_task(task["id"]),
    )


def cordon(proplet: Mapping[str, Any]) -> Deed:
    return Deed(
        f"Cordon {_proplet(proplet)}?",
        "It gets no more tasks. Those that it has go on.",
        f"{_proplet(proplet)} is cordoned",
        lambda client: client.cordon_proplet(proplet["id"]),
    )


def uncordon(proplet: Mapping[str, Any]) -> Deed:
    return Deed(
        f"Uncordon {_proplet(proplet)}?",
        "It gets tasks again, as its slots become free.",
        f"{_proplet(proplet)} gets tasks again",
        lambda client: client.uncordon_proplet(proplet["id"]),
    )


def drain(proplet: Mapping[str, Any], timeout: str = "") -> Deed:
    many = proplet.get("task_count", 0)
    return Deed(
        f"Drain {_proplet(proplet)}?",
        f"It gets no more tasks. The {_tasks(many)} that it has run to their end there, and none is moved.",
        f"{_proplet(proplet)} is drained",
        lambda client: client.drain_proplet(proplet["id"], timeout=timeout),
    )


def forget(proplet: Mapping[str, Any]) -> Deed:
    if proplet.get("alive"):
        raise Invalid(
            f"{_proplet(proplet)} is alive; only one that is gone can be deleted: cordon or drain it"
        )
    return Deed(
        f"Delete {_proplet(proplet)}?",
        "It is gone, and is forgotten. If it comes back, it is in the list again.",
        f"{_proplet(proplet)} was deleted",
        lambda client: client.delete_proplet(proplet["id"]),
    )


def _by(of: Target, verb: str) -> "Callable[[Client], Any]":
    return lambda client: getattr(client, f"{verb}_{of.kind}")(of.id)


def _of(of: Target, name: str) -> int:
    return of.counts.get(name, 0)


def _tasks(count: int) -> str:
    return drawing.number_of(count, "tasks")


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _task(task: Mapping[str, Any]) -> str:
    return f"task {formatting.one_line(task['id'], _NAME_CHARS)}"


def _proplet(proplet: Mapping[str, Any]) -> str:
    shown = proplet.get("name") or proplet["id"]
    return f"proplet {formatting.one_line(shown, _NAME_CHARS)}"
