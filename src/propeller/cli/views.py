"""Tables and texts that show answers to people."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from propeller.cli import formatting
from propeller.cli.session import Session
from propeller.core.results import as_bytes, from_json

#: Room that the columns of a table of tasks take beside the result.
_OTHER_COLUMNS = 75


def tasks_table(session: Session, tasks: list[Any]) -> RenderableType:
    table = session.table("ID", "NAME", "STATE", "RESULT", "TOOK", "CREATED")
    room = min(max(session.out.width - _OTHER_COLUMNS, 20), 60)
    for task in tasks:
        table.add_row(
            formatting.one_line(task["id"], 255),
            formatting.one_line(task["name"], 30),
            formatting.state(task["state"]),
            outcome(task, room),
            formatting.took(task["start_time"], task["finish_time"])
            if formatting.has_ended(task["state"])
            else "",
            formatting.ago(task["created_at"]),
        )
    return table


def outcome(task: Any, chars_max: int = 60) -> str:
    """Give the error of a task on one line; if it has none, its result, or else its reason."""
    if task.get("error"):
        return formatting.one_line(task["error"], chars_max)
    if task.get("results") is not None:
        if task.get("results_encoding"):
            return formatting.one_line(formatting.results(task), chars_max)
        return formatting.result(task["results"], chars_max)
    return formatting.one_line(task.get("reason", ""), chars_max)


def task_lines(session: Session, task: Any) -> RenderableType:
    return session.lines(task_pairs(task))


def task_pairs(task: Any) -> list[tuple[str, str | Text]]:
    """Give all that a task has, by name; what it has not is empty."""
    return [
        ("id", formatting.plain(task["id"])),
        ("name", formatting.plain(task["name"])),
        ("state", formatting.state(task["state"])),
        ("result", formatting.results(task)),
        ("error", formatting.plain(task.get("error", ""))),
        ("reason", formatting.plain(task.get("reason", ""))),
        ("inputs", ", ".join(formatting.plain(value) for value in task.get("inputs", []))),
        ("arguments", " ".join(formatting.plain(value) for value in task["cli_args"] or [])),
        ("stdin", _stdin(task)),
        ("environment", ", ".join(f"{key}={formatting.plain(v)}" for key, v in task.get("env", {}).items())),
        ("depends on", ", ".join(map(formatting.plain, task.get("depends_on", [])))),
        ("run if", formatting.plain(task.get("run_if", ""))),
        ("workflow", formatting.plain(task.get("workflow_id", ""))),
        ("job", formatting.plain(task.get("job_id", ""))),
        ("runs workflow", formatting.plain(task.get("runs_workflow", ""))),
        ("proplet", formatting.plain(task.get("proplet_id", ""))),
        ("attempt", str(task.get("attempt", ""))),
        ("restarts", str(task.get("restarts", ""))),
        ("timeout", task.get("timeout", "")),
        ("retry", _pairs(task.get("retry", {}))),
        ("tried again", formatting.clock(task.get("retry_at"))),
        ("schedule", _schedule(task)),
        ("next run", formatting.clock(task.get("next_run"))),
        ("copy of", formatting.plain(task.get("copy_of", ""))),
        ("deadline", task.get("deadline", "")),
        ("queue timeout", task.get("queue_timeout", "")),
        ("limits", _pairs(task.get("limits", {}))),
        ("grants", formatting.plain(task["grants"]) if "grants" in task else ""),
        ("namespace", formatting.plain(task.get("namespace", ""))),
        ("created by", formatting.plain(task.get("created_by", ""))),
        ("created", formatting.clock(task["created_at"])),
        ("started", formatting.clock(task["start_time"])),
        ("took", formatting.took(task["start_time"], task["finish_time"])),
    ]


def _schedule(task: Any) -> str:
    given = (task.get("schedule", ""), task.get("timezone", ""), "" if task.get("is_recurring") else "once")
    return " ".join(filter(None, map(formatting.plain, given))) if given[0] else ""


def _pairs(fields: dict[str, Any]) -> str:
    return ", ".join(f"{key}={formatting.plain(value)}" for key, value in fields.items())


def _stdin(task: Any) -> str:
    given = task.get("stdin", "")
    if isinstance(given, dict):
        return formatting.plain(given)
    return formatting.size(len(as_bytes(from_json(given, task.get("stdin_encoding", ""))))) if given else ""


def invocations_table(session: Session, invocations: list[Any]) -> RenderableType:
    table = session.table("WHEN", "TOOK", "INPUTS", "OUTCOME")
    for one in invocations:
        said = one["error"] if "error" in one else formatting.results(one)
        table.add_row(
            formatting.clock(one["start_time"]),
            f"{one['duration_ms']:g} ms",
            formatting.one_line(" ".join(one["inputs"])),
            formatting.one_line(said),
        )
    return table


def executions_table(session: Session, executions: list[Any]) -> RenderableType:
    table = session.table("ATTEMPT", "PROPLET", "STATE", "RESULT", "TOOK", "STARTED")
    for execution in executions:
        ended = formatting.has_ended(execution["state"])
        table.add_row(
            str(execution["attempt"]),
            formatting.one_line(execution["proplet_id"], 255),
            formatting.state(execution["state"]),
            outcome(execution),
            formatting.took(execution["start_time"], execution["finish_time"]) if ended else "",
            formatting.clock(execution["start_time"]),
        )
    return table


def groups_table(session: Session, kind: str, groups: list[Any]) -> RenderableType:
    has_labels = any(group.get("labels") for group in groups)
    labels = ["LABELS"] if has_labels else []
    table = session.table("ID", "NAME", "STATE", "TASKS", "TOOK", "CREATED", *labels)
    for group in groups:
        ended = formatting.has_ended(group["state"])
        table.add_row(
            formatting.one_line(group[f"{kind}_id"], 255),
            formatting.one_line(group.get("name", ""), 30),
            formatting.state(group["state"]),
            counted(group),
            formatting.took(group["start_time"], group["finish_time"]) if ended else "",
            formatting.ago(group["created_at"]),
            *([formatting.one_line(labels_of(group))] if has_labels else []),
        )
    return table


def labels_of(group: Any) -> str:
    return ", ".join(f"{key}={value}" if value else key for key, value in group.get("labels", {}).items())


def group_title(kind: str, group: Any) -> str:
    """Say in a line how a workflow or job is, and what was asked for of it as a whole."""
    name = f" ({group['name']})" if group.get("name") else ""
    # The answer about a job has no state.
    state = formatting.state_name(group["state"]) if "state" in group else ""
    most = f"at most {group['max_parallel']} at once" if "max_parallel" in group else ""
    outer = f"run by task {group['run_for']}" if "run_for" in group else ""
    where = f"namespace {group['namespace']}" if "namespace" in group else ""
    creator = f"created by {group['created_by']}" if "created_by" in group else ""
    said = "; ".join(filter(None, (state, counted(group), labels_of(group), most, outer, where, creator)))
    return f"{kind} {group[f'{kind}_id']}{name}: {said}"


def counted(group: Any) -> str:
    """Say how many tasks are in each state."""
    counts = group.get("counts")
    if counts is None:
        counts = dict.fromkeys((name.lower() for name in formatting.STATES), 0)
        for task in group.get("tasks", []):
            counts[formatting.state_name(task["state"]).lower()] += 1
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def proplets_table(session: Session, proplets: list[Any]) -> RenderableType:
    table = session.table("ID", "NAME", "ALIVE", "TASKS", "LAST SEEN", "HOST")
    for proplet in proplets:
        table.add_row(
            formatting.one_line(proplet["id"], 255),
            formatting.one_line(proplet["name"]),
            _alive(proplet),
            str(proplet["task_count"]),
            formatting.ago(proplet.get("last_alive_at")),
            formatting.one_line(proplet.get("metadata", {}).get("hostname", "")),
        )
    return table


def proplet_lines(session: Session, proplet: Any) -> RenderableType:
    pairs: list[tuple[str, str | Text]] = [
        ("id", formatting.plain(proplet["id"])),
        ("name", formatting.plain(proplet["name"])),
        ("alive", _alive(proplet)),
        ("tasks", str(proplet["task_count"])),
        ("slots", str(proplet.get("slots", ""))),
        ("last seen", formatting.ago(proplet.get("last_alive_at"))),
    ]
    for name, value in proplet.get("metadata", {}).items():
        if name == "total_memory_bytes":
            pairs.append(("memory", formatting.size(value)))
        else:
            shown = (
                ", ".join(map(formatting.plain, value))
                if isinstance(value, list)
                else formatting.plain(value)
            )
            pairs.append((formatting.plain(name.replace("_", " ")), shown))
    return session.lines(pairs)


def task_metrics_table(session: Session, rows: list[Any]) -> RenderableType:
    table = session.table(
        "TIME", "RAN", "CPU", "CPU TIME", "MEMORY", "PEAK", "READ", "WRITTEN", "THREADS", "PROPLET"
    )
    for row in rows:
        used = row.get("metrics", {})
        table.add_row(
            formatting.clock(row.get("timestamp")),
            formatting.duration(used.get("wall_seconds", used.get("uptime_seconds", 0))),
            _percent(used.get("cpu_percent", 0)),
            formatting.duration(used["cpu_seconds"]) if "cpu_seconds" in used else "",
            f"{formatting.size(used.get('memory_bytes', 0))} ({_percent(used.get('memory_percent', 0))})",
            formatting.size(used["peak_memory_bytes"]) if "peak_memory_bytes" in used else "",
            formatting.size(used.get("disk_read_bytes", 0)),
            formatting.size(used.get("disk_write_bytes", 0)),
            str(used.get("thread_count", "")),
            formatting.one_line(row.get("proplet_id", ""), 255),
        )
    return table


def proplet_metrics_table(session: Session, rows: list[Any]) -> RenderableType:
    table = session.table("TIME", "CPU", "CPU TIME", "MEMORY", "HEAP", "CONTAINER")
    for row in rows:
        cpu, memory = row.get("cpu_metrics", {}), row.get("memory_metrics", {})
        heap, limit = memory.get("heap_alloc_bytes"), memory.get("container_limit_bytes")
        table.add_row(
            formatting.clock(row.get("timestamp")),
            _percent(cpu.get("percent", 0)),
            formatting.duration(cpu.get("user_seconds", 0) + cpu.get("system_seconds", 0)),
            formatting.size(memory.get("rss_bytes", 0)),
            formatting.size(heap) if heap else "",
            f"{formatting.size(memory.get('container_usage_bytes', 0))} of {formatting.size(limit)}"
            if limit
            else "",
        )
    return table


def _percent(number: float) -> str:
    return f"{number:.1f} %"


def times_table(session: Session, times: list[str]) -> RenderableType:
    table = session.table("TIME", "")
    for time in times:
        table.add_row(formatting.clock(time), formatting.ago(time))
    return table


def plain_lines(session: Session, answer: Any) -> RenderableType:
    """Draw the names and values of an object, as they are."""
    return session.lines(
        [(name.replace("_", " "), formatting.plain(value)) for name, value in answer.items()]
    )


def _alive(proplet: Any) -> Text:
    shown = Text("yes", style="green") if proplet["alive"] else Text("no", style="bold red")
    if proplet.get("cordoned"):
        shown.append(", cordoned", style="yellow")
    return shown.append(", unsigned", style="yellow") if proplet.get("signed") is False else shown
