"""``propeller status``: all that a manager has, counted, and what failed last."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from propeller.cli import choosing, formatting
from propeller.cli.commands import command, new_app
from propeller.cli.session import Session
from propeller.client.shapes import Health

if TYPE_CHECKING:
    from rich.console import RenderableType

app = new_app()


@command(app)
def status(
    session: Session,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="TIME", help="Failures since then: 2026-01-31T12:00, or 10m or 36h ago."
        ),
    ] = "24h",
) -> None:
    """Count tasks, workflows, jobs and proplets by state, show what failed last, and which manager leads."""
    begin = choosing.time("since", since)
    manager = session.client.health()
    overview, failures = session.client.overview(), session.client.failures(since=begin, limit=10)
    if session.as_json:
        session.show_json({"manager": manager, "overview": overview, "failures": failures})
        return
    session.show(overview, lambda shown: _lines(session, manager, shown, failures["total"], begin))
    if failures["failures"]:
        session.show(failures["failures"], lambda shown: _failures_table(session, shown))


def _lines(session: Session, manager: Health, overview: Any, failed: int, begin: str) -> "RenderableType":
    proplets = overview["proplets"]
    pairs: list[tuple[str, str | Text]] = [
        ("manager", f"{session.client.base_url} {_role(manager)}"),
        *((name, _counted(overview[name])) for name in ("tasks", "workflows", "jobs")),
    ]
    cordoned = f", {proplets['cordoned']} cordoned" if proplets["cordoned"] else ""
    pairs.append(("proplets", f"{proplets['total']}: {proplets['alive']} alive{cordoned}"))
    pairs.append(("slots", f"{proplets['busy']} of {proplets['slots']} busy"))
    pairs.append(("failures", f"{failed} since {formatting.clock(begin)}"))
    return session.lines(pairs)


def _role(manager: Health) -> str:
    if manager.get("role") != "follower":
        return "leads"
    return f"follows {manager['leader']}" if "leader" in manager else "follows, but nobody leads at present"


def _counted(counts: Mapping[str, int]) -> str:
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count and state != "total")
    return f"{counts['total']}: {states}" if states else str(counts["total"])


def _failures_table(session: Session, failures: list[Any]) -> "RenderableType":
    table = session.table("ID", "NAME", "WORKFLOW OR JOB", "ERROR", "FAILED")
    for one in failures:
        table.add_row(
            formatting.one_line(one["task_id"], 255),
            formatting.one_line(one["name"], 30),
            formatting.one_line(one.get("workflow_id", one.get("job_id", "")), 255),
            formatting.one_line(one["error"]),
            formatting.ago(one["finish_time"]),
        )
    return table
