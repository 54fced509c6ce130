"""Flags that choose records of a list, and the records that they choose."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from propeller.cli import formatting, pages
from propeller.cli.completing import flag
from propeller.cli.naming import JOB, PROPLET, WORKFLOW, Kind, id_of
from propeller.cli.session import Session
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration

if TYPE_CHECKING:
    from propeller.client.api import Filters

_NAME = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Those of this name.")]
_SINCE = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Those created since then: 2026-01-31T12:00, or 10m or 36h ago."
    ),
]
_CREATED_BY = Annotated[
    str | None, typer.Option("--created-by", metavar="NAME", help="Those that this one created.")
]
#: Flags by the names of their values, as ``page`` and ``query`` take these.
TASK_FILTERS: dict[str, Any] = {
    "state": Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Those in this state: pending, scheduled, running, completed, failed, skipped or "
            "interrupted.",
        ),
    ],
    "workflow": flag(WORKFLOW, "--workflow", text="Those of this workflow."),
    "job": flag(JOB, "--job", text="Those of this job."),
    "name": _NAME,
    "since": _SINCE,
    "created_by": _CREATED_BY,
}
_SEARCH = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="TEXT",
        help="Those whose id begins with this, or whose name contains it, in whatever case.",
    ),
]
#: Those of a list of tasks.
SEARCHES: dict[str, Any] = {
    "search": _SEARCH,
    "proplet": flag(PROPLET, "--proplet", text="Those that run, or ran last, on this proplet."),
}
_UNTIL = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", help="Those created before then: 2026-01-31T12:00, or 10m or 36h ago."
    ),
]
GROUP_FILTERS: dict[str, Any] = {
    "status": Annotated[
        str | None,
        typer.Option(
            "--state",
            "--status",
            metavar="STATE",
            help="Those in this state: pending, running, completed, failed or interrupted.",
        ),
    ],
    "name": _NAME,
    "search": _SEARCH,
    "label": Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="KEY=VALUE", help="Those with this label, or with KEY alone; may be repeated."
        ),
    ],
    "since": _SINCE,
    "until": _UNTIL,
    "created_by": _CREATED_BY,
    "ended": Annotated[
        bool | None, typer.Option("--ended", help="Those none of whose tasks is under way any more.")
    ],
}
PROPLET_FILTERS: dict[str, Any] = {
    "status": Annotated[str | None, typer.Option("--status", metavar="STATUS", help="active or inactive.")],
    "name": _NAME,
}
AllFlag = Annotated[bool, typer.Option("--all", help="All that there are, however many.")]


def query(session: Session, chosen: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Make query parameters of the values of flags.

    Raises:
        BadParameter: One of them is empty, or means nothing.

    """
    only: dict[str, str | list[str]] = {}
    for name, value in chosen.items():
        if name == "ended":
            only["ended"] = "true"
            continue
        if not all(one.strip() for one in ([value] if isinstance(value, str) else value)):
            raise typer.BadParameter(f"--{name}: it is empty; give it a value, or leave it out")
        if name == "workflow":
            only["workflow_id"] = id_of(session, WORKFLOW, value)
        elif name == "job":
            only["job_id"] = id_of(session, JOB, value)
        elif name == "proplet":
            only["proplet_id"] = id_of(session, PROPLET, value)
        elif name in ("since", "until"):
            only[name] = time(name, value)
        else:
            only[name] = value
    return only


def time(flag: str, since: str) -> str:
    """Read a time, or how long ago it was, and write it as the API has it.

    Raises:
        BadParameter: It is none; the message names the flag.

    """
    try:
        at = datetime.fromisoformat(since).astimezone(UTC)
    except ValueError:
        try:
            at = datetime.now(UTC) - timedelta(seconds=parse_duration(since))
        except (ValueError, OverflowError) as error:
            raise typer.BadParameter(
                f"--{flag}: {since!r} is no time; write one as 2026-01-31T12:00, or how long ago as 10m or "
                "36h"
            ) from error
    return at.isoformat().replace("+00:00", "Z")


def page(
    session: Session,
    kind: Kind,
    only: "Filters",
    *,
    is_all: bool,
    fetch: pages.Fetch | None = None,
) -> Any:
    """Read as much of a list as is asked for.

    Args:
        session: Which manager, and how much.
        kind: What is listed.
        only: Query parameters that choose.
        is_all: Read all of it.
        fetch: Fetches a page, in place of the one of the kind.

    Raises:
        BadParameter: All and a part are asked for.
        Invalid: The manager does not know a parameter, and the list is not read as a whole.

    """
    if is_all and session.is_paged:
        raise typer.BadParameter("--all is for all that there are: leave out --offset and --limit")
    fetch = fetch or kind.fetching(session.client, only)
    if is_all:
        found = pages.read(fetch, kind.plural, kind.key)
    else:
        found = pages.read(fetch, kind.plural, kind.key, start=session.offset, wanted=session.limit)
    records = found[kind.plural]
    # A manager passes over a parameter that it does not know.
    missed = [name for name, value in only.items() if not all(_fits(one, name, value) for one in records)]
    if missed and not is_all:
        raise Invalid(
            f"the manager can't choose {kind.plural} by {', '.join(missed)}, which it does not know; "
            "with --all, this command chooses among all of them"
        )
    if missed:
        records = [one for one in records if all(_fits(one, *wanted) for wanted in only.items())]
        found |= {"total": len(records), kind.plural: records}
    return found | {"limit": len(records) if is_all else session.limit}


def _fits(record: Mapping[str, Any], name: str, value: Any) -> bool:
    if name == "label":
        labels: Mapping[str, str] = record.get("labels", {})
        return all(_has_label(labels, label) for label in value)
    if name == "search":
        text = value.casefold()
        record_id: str = next(record[key] for key in ("id", "workflow_id", "job_id") if key in record)
        return record_id.casefold().startswith(text) or text in record.get("name", "").casefold()
    if name == "proplet_id":  # a task that several proplets run names none
        return bool(record.get(name, value) == value)
    if name == "ended":
        counts = record.get("counts", {})
        return not any(counts.get(state) for state in ("pending", "scheduled", "running"))
    if name == "status" and "alive" in record:
        return bool(record["alive"] == (value == "active"))
    if name in ("state", "status"):
        return bool(formatting.state_name(record["state"]).lower() == value)
    if name in ("since", "until"):
        created, at = formatting.when(record["created_at"]), formatting.when(value)
        is_later = created is not None and at is not None and created >= at
        return created is not None and is_later is (name == "since")
    return bool(record.get(name) == value)


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    key, is_pair, value = wanted.partition("=")
    return key in labels and (not is_pair or labels[key] == value)
