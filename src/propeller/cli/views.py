"""How answers look to people."""

from typing import Any

from rich.console import RenderableType

from propeller.cli import words
from propeller.cli.session import Session


def tasks_table(session: Session, tasks: list[Any]) -> RenderableType:
    table = session.table("ID", "NAME", "STATE", "RESULT", "TOOK", "CREATED")
    for task in tasks:
        table.add_row(
            words.one_line(task["id"]),
            words.one_line(task["name"], 30),
            words.state(task["state"]),
            outcome(task),
            words.took(task["start_time"], task["finish_time"]) if words.has_ended(task["state"]) else "",
            words.ago(task["created_at"]),
        )
    return table


def outcome(task: Any) -> str:
    """Result, error or reason, whichever says most, on one line."""
    if task.get("error"):
        return words.one_line(task["error"])
    if task.get("results") is not None:
        return words.result(task["results"])
    return words.one_line(task.get("reason", ""))


def task_lines(session: Session, task: Any) -> RenderableType:
    pairs = [
        ("id", words.plain(task["id"])),
        ("name", words.plain(task["name"])),
        ("state", words.state(task["state"])),
        ("result", words.plain(task["results"]) if task.get("results") is not None else ""),
        ("error", words.plain(task.get("error", ""))),
        ("reason", words.plain(task.get("reason", ""))),
        ("inputs", ", ".join(words.plain(value) for value in task.get("inputs", []))),
        ("arguments", " ".join(words.plain(value) for value in task["cli_args"] or [])),
        ("environment", ", ".join(f"{key}={words.plain(v)}" for key, v in task.get("env", {}).items())),
        ("depends on", ", ".join(map(words.plain, task.get("depends_on", [])))),
        ("run if", task.get("run_if", "")),
        ("workflow", words.plain(task.get("workflow_id", ""))),
        ("job", words.plain(task.get("job_id", ""))),
        ("proplet", words.plain(task.get("proplet_id", ""))),
        ("attempt", str(task.get("attempt", ""))),
        ("created", words.clock(task["created_at"])),
        ("started", words.clock(task["start_time"])),
        ("took", words.took(task["start_time"], task["finish_time"])),
    ]
    return session.lines(pairs)


def groups_table(session: Session, kind: str, groups: list[Any]) -> RenderableType:
    table = session.table("ID", "NAME", "STATE", "TASKS", "TOOK", "CREATED")
    for group in groups:
        ended = words.has_ended(group["state"])
        table.add_row(
            words.one_line(group[f"{kind}_id"]),
            words.one_line(group.get("name", ""), 30),
            words.state(group["state"]),
            counted(group),
            words.took(group["start_time"], group["finish_time"]) if ended else "",
            words.ago(group["created_at"]),
        )
    return table


def counted(group: Any) -> str:
    """How many tasks are in which state."""
    counts = group.get("counts")
    if counts is None:
        counts = dict.fromkeys((name.lower() for name in words.STATES), 0)
        for task in group.get("tasks", []):
            counts[words.state_name(task["state"]).lower()] += 1
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def proplets_table(session: Session, proplets: list[Any]) -> RenderableType:
    table = session.table("ID", "NAME", "ALIVE", "TASKS", "LAST SEEN", "HOST")
    for proplet in proplets:
        table.add_row(
            words.one_line(proplet["id"]),
            words.one_line(proplet["name"]),
            "yes" if proplet["alive"] else "no",
            str(proplet["task_count"]),
            words.ago(proplet.get("last_alive_at")),
            words.one_line(proplet.get("metadata", {}).get("hostname", "")),
        )
    return table


def plain_lines(session: Session, answer: Any) -> RenderableType:
    """Names and values of an object, as they are."""
    return session.lines([(name, words.plain(value)) for name, value in answer.items()])
