"""How answers look to people."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

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


def outcome(task: Any, chars_max: int = 60) -> str:
    """Result, error or reason, whichever says most, on one line."""
    if task.get("error"):
        return words.one_line(task["error"], chars_max)
    if task.get("results") is not None:
        return words.result(task["results"], chars_max)
    return words.one_line(task.get("reason", ""), chars_max)


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
            _alive(proplet["alive"]),
            str(proplet["task_count"]),
            words.ago(proplet.get("last_alive_at")),
            words.one_line(proplet.get("metadata", {}).get("hostname", "")),
        )
    return table


def proplet_lines(session: Session, proplet: Any) -> RenderableType:
    pairs: list[tuple[str, str | Text]] = [
        ("id", words.plain(proplet["id"])),
        ("name", words.plain(proplet["name"])),
        ("alive", _alive(proplet["alive"])),
        ("tasks", str(proplet["task_count"])),
        ("last seen", words.ago(proplet.get("last_alive_at"))),
    ]
    for name, value in proplet.get("metadata", {}).items():
        if name == "total_memory_bytes":
            pairs.append(("memory", words.size(value)))
        else:
            shown = ", ".join(map(words.plain, value)) if isinstance(value, list) else words.plain(value)
            pairs.append((words.plain(name.replace("_", " ")), shown))
    return session.lines(pairs)


def task_metrics_table(session: Session, rows: list[Any]) -> RenderableType:
    table = session.table("TIME", "CPU", "MEMORY", "READ", "WRITTEN", "THREADS", "PROPLET")
    for row in rows:
        used = row.get("metrics", {})
        table.add_row(
            words.clock(row.get("timestamp")),
            f"{used.get('cpu_percent', 0):.1f} %",
            words.size(used.get("memory_bytes", 0)),
            words.size(used.get("disk_read_bytes", 0)),
            words.size(used.get("disk_write_bytes", 0)),
            str(used.get("thread_count", "")),
            words.one_line(row.get("proplet_id", "")),
        )
    return table


def proplet_metrics_table(session: Session, rows: list[Any]) -> RenderableType:
    table = session.table("TIME", "CPU", "MEMORY", "HEAP")
    for row in rows:
        table.add_row(
            words.clock(row.get("timestamp")),
            f"{row.get('cpu_metrics', {}).get('percent', 0):.1f} %",
            words.size(row.get("memory_metrics", {}).get("rss_bytes", 0)),
            words.size(row.get("memory_metrics", {}).get("heap_alloc_bytes", 0)),
        )
    return table


def times_table(session: Session, times: list[str]) -> RenderableType:
    table = session.table("TIME", "")
    for time in times:
        table.add_row(words.clock(time), words.ago(time))
    return table


def plain_lines(session: Session, answer: Any) -> RenderableType:
    """Names and values of an object, as they are."""
    return session.lines([(name.replace("_", " "), words.plain(value)) for name, value in answer.items()])


def _alive(is_alive: bool) -> Text:
    return Text("yes", style="green") if is_alive else Text("no", style="bold red")
