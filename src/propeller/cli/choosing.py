"""Several records at once: flags that choose among them, lists of many pages, and what is done to each."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from propeller.cli import formatting
from propeller.cli.naming import JOB, WORKFLOW, Kind, named
from propeller.cli.session import Session, show_error
from propeller.client.errors import ApiError
from propeller.errors import Invalid, NotFound
from propeller.wire.durations import parse_duration

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...")]
TaskStateFlag = Annotated[
    str,
    typer.Option(
        "--state",
        metavar="STATE",
        help="Those in this state: pending, scheduled, running, completed, failed, skipped or interrupted.",
    ),
]
GroupStateFlag = Annotated[
    str,
    typer.Option(
        "--state",
        "--status",
        metavar="STATE",
        help="Those in this state: pending, running, completed or failed.",
    ),
]
NameFlag = Annotated[str, typer.Option("--name", help="Those of this name.")]
SinceFlag = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help="Those created since then: 2026-01-31T12:00, or 10m or 36h ago."
    ),
]
WorkflowFlag = Annotated[str, typer.Option("--workflow", metavar="ID", help="Those of this workflow.")]
JobFlag = Annotated[str, typer.Option("--job", metavar="ID", help="Those of this job.")]
AllFlag = Annotated[bool, typer.Option("--all", help="All that there are, however many.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before it is done to several.")]

#: The most that every list of the API gives at once.
_PAGE = 100

Fetch = Callable[[int, int], Any]


def query(
    session: Session, *, since: str = "", workflow: str = "", job: str = "", **words: str
) -> dict[str, str]:
    """Make query parameters of flags; what is empty chooses nothing."""
    client = session.client
    chosen = {
        **words,
        "since": _time(since),
        "workflow_id": workflow
        and named(session, WORKFLOW, workflow, lambda id_: client.workflow(id_, with_tasks=False))[
            "workflow_id"
        ],
        "job_id": job and named(session, JOB, job, client.job_summary)["job_id"],
    }
    return {name: value for name, value in chosen.items() if value}


def _time(since: str) -> str:
    """Read a time, or how long ago it was, and write it as the API has it."""
    if not since:
        return ""
    try:
        at = datetime.fromisoformat(since).astimezone(UTC)
    except ValueError:
        try:
            at = datetime.now(UTC) - timedelta(seconds=parse_duration(since))
        except (ValueError, OverflowError) as error:
            raise typer.BadParameter(
                f"--since: {since!r} is no time; write one as 2026-01-31T12:00, or how long ago as 10m or 36h"
            ) from error
    return at.isoformat().replace("+00:00", "Z")


def pages(
    session: Session, kind: str, key: str, fetch: Fetch, only: Mapping[str, str], *, is_all: bool
) -> Any:
    """Fetch as much of a list as is asked for, in as many requests as that takes, and make one page of it."""
    start = session.offset
    wanted = sys.maxsize if is_all else session.limit
    page = _checked(fetch(start, min(wanted, _PAGE)), kind, only)
    found = {one[key]: one for one in page[kind]}
    at = start + len(page[kind])
    last = page
    while last[kind] and len(found) < wanted and at < last["total"]:
        last = _checked(fetch(at, min(wanted - len(found), _PAGE)), kind, only)
        at += len(last[kind])
        # What came meanwhile pushes others onto the next page, once more.
        found |= {one[key]: one for one in last[kind]}
    return page | {"limit": len(found) if is_all else session.limit, kind: [*found.values()]}


def _checked(page: Any, kind: str, only: Mapping[str, str]) -> Any:
    """Refuse a page with what was not asked for: a manager passes over a filter that it does not know."""
    for name, value in only.items():
        if not all(_fits(record, name, value) for record in page[kind]):
            raise Invalid(f"the manager can't choose {kind} by {name}, which it does not know; leave it out")
    return page


def _fits(record: Mapping[str, Any], name: str, value: str) -> bool:
    if name in ("state", "status"):
        return formatting.state_name(record["state"]).lower() == value
    if name == "since":
        created, since = formatting.when(record["created_at"]), formatting.when(value)
        return created is not None and since is not None and created >= since
    return bool(record.get(name) == value)


def do_to_each(
    session: Session,
    kind: Kind,
    ids: Sequence[str],
    act: Callable[[str], Any],
    *,
    done: str,
    chosen: Iterable[Any] | None,
    yes: bool,
) -> None:
    """Do something to the records that are named, or that flags choose, and say what was done.

    Args:
        session: Which manager.
        kind: What they are.
        ids: As people write them.
        act: Does it to one.
        done: What was done, such as ``deleted``.
        chosen: The records that flags choose; None without such flags.
        yes: Not to ask before.

    """
    if chosen is not None and ids:
        raise typer.BadParameter(f"name {kind.word}s, or choose them with flags, not both")
    if chosen is None and not ids:
        raise typer.BadParameter(f"name one or more {kind.word}s, or choose them with flags: see --help")
    if chosen is None and len(ids) == 1:
        session.show_done(named(session, kind, ids[0], act))
        return
    if chosen is not None:
        ids = [record[kind.key] for record in chosen]
        _ask(kind, len(ids), done, yes=yes)
    succeeded, failed = _each(session, kind, ids, act)
    if session.as_json:
        session.show_json({done: succeeded, "failed": failed})
    else:
        session.out.print(f"{len(succeeded)} {kind.word}s {done}")
        for id_, why in failed.items():
            show_error(f"{kind.word} {id_}: {why}")
    if failed:
        raise typer.Exit(1)


def _ask(kind: Kind, count: int, done: str, *, yes: bool) -> None:
    if yes or not count:
        return
    if not sys.stdin.isatty():
        raise Invalid(f"{count} {kind.word}s would be {done}; say so with --yes")
    typer.confirm(f"{count} {kind.word}s will be {done}. Go on?", abort=True, err=True)


def _each(
    session: Session, kind: Kind, ids: Sequence[str], act: Callable[[str], Any]
) -> tuple[list[str], dict[str, str]]:
    """Do it to each; those in the way of others come first, so what is refused now is tried after them."""
    succeeded: list[str] = []
    failed: dict[str, str] = {}
    left = list(dict.fromkeys(ids))
    while left:
        again: list[str] = []
        for id_ in left:
            try:
                named(session, kind, id_, act)
            except (ApiError, Invalid, NotFound) as error:
                failed[id_] = str(error)
                if isinstance(error, ApiError) and error.status == 409:
                    again.append(id_)
            else:
                succeeded.append(id_)
                failed.pop(id_, None)
        if len(again) == len(left):
            break
        left = again
    return succeeded, failed
