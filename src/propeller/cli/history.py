"""``events`` of tasks, workflows and jobs: what became of them, and what made each change of state."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from propeller.cli import formatting
from propeller.cli.commands import command
from propeller.cli.completing import completer
from propeller.cli.naming import TASK, Kind, named
from propeller.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

_PAGE = 100
_WHY_CHARS = 60


def add(app: typer.Typer, kind: Kind) -> None:
    """Add the command to the group of a kind."""

    def run(
        session: Session,
        id_: Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(kind))],
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    ) -> None:
        named(session, kind, id_, lambda found: _show(session, kind, found, goes_on=follow))

    whose = "a task" if kind is TASK else f"the tasks of a {kind.word}"
    run.__doc__ = f"Show how the state of {whose} changed, when, and what made it, as far as that is kept."
    command(app, "events")(run)


def _show(session: Session, kind: Kind, id_: str, *, goes_on: bool) -> None:
    page = session.client.events_of(kind.plural, id_, limit=_PAGE)
    is_complete, found = page["complete"], page["events"]
    while page["more"]:
        page = session.client.events_of(kind.plural, id_, after=page["next"], limit=_PAGE)
        found += page["events"]
    if not is_complete:
        session.remark(
            f"events before number {page['first_id']} are no longer kept; some may be missing here"
        )
    if goes_on:
        _follow(session, kind, id_, found, page["next"])
    elif session.as_json:
        session.show_json({"events": found, "first_id": page["first_id"], "complete": is_complete})
    elif found:
        session.show(found, lambda events: _table(session, kind, events))
    else:
        session.remark(f"no events of {kind.word} {id_}")


def _follow(session: Session, kind: Kind, id_: str, found: list[Any], after: int) -> None:
    """Print a line for each event, with ``--json`` an object: those that there are, and those that come."""

    def tell(event: Any) -> None:
        if session.as_json:
            print(json.dumps(event, ensure_ascii=False), flush=True)
        else:
            session.out.print("  ".join(filter(None, map(str, _cells(kind, event)))), soft_wrap=True)
            session.out.file.flush()

    for event in found:
        tell(event)
    only = {f"{kind.word}_id": id_}
    for event in session.client.follow(**only, after=after):  # type: ignore[arg-type]
        if event is not None:
            tell(event)


def _table(session: Session, kind: Kind, events: list[Any]) -> "RenderableType":
    headings = ["TIME", *([] if kind is TASK else ["TASK"]), "STATE", "ATTEMPT", "PROPLET", "CAUSE", "WHY"]
    table = session.table(*headings)
    for event in events:
        table.add_row(*_cells(kind, event))
    return table


def _cells(kind: Kind, event: Any) -> list[str | Text]:
    state = formatting.state(event["state"])
    if event.get("up"):
        state.append(", up")
    return [
        formatting.clock(event["time"]),
        *([] if kind is TASK else [formatting.one_line(event["task_id"], 255)]),
        state,
        str(event.get("attempt", "")),
        formatting.one_line(event.get("proplet_id", ""), 255),
        _cause(event),
        formatting.one_line(event.get("error") or event.get("reason", ""), _WHY_CHARS),
    ]


def _cause(event: Any) -> str:
    """Say what made a change; of a proplet that it names already, only that it was it."""
    given = event.get("cause", {})
    who = [given.get(name, "") for name in ("task_id", "proplet_id", "timer")]
    words = [
        given.get("kind", "").replace("_", " "),
        *(name for name in who if name != event.get("proplet_id")),
    ]
    return formatting.one_line(" ".join(filter(None, words)), 255)
