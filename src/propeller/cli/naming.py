"""What people may write where a command takes an id.

An id always means itself, and is asked for first. Only where there is no such record, something else may
stand for it:

- the beginning of one UUID, four characters or more. Ids that people choose have to be written out: ``a`` is
  no short form of ``abc``.
- the name of one workflow, job or proplet; that of one with a schedule stands for it, and not for its runs;
- ``@latest``, the newest of all; behind a name or a beginning, the newest of those that fit; behind the id
  that a task has in a file, the newest task that was run under it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from propeller.cli import formatting, pages
from propeller.client.errors import ApiError
from propeller.errors import Invalid, NotFound

if TYPE_CHECKING:
    from propeller.cli.session import Session
    from propeller.client.api import Client, Filters

_T = TypeVar("_T")
_LATEST = "@latest"
_SHOWN = 5
_BEGINNING_CHARS = 4
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: What a run of a file adds to the ids in it.
_RUN = re.compile(r"-[0-9a-f]{8}")


class Kind(NamedTuple):
    """A kind of records that commands name."""

    word: str
    #: The field of its id.
    key: str
    #: Fetches a page of those that fit query parameters, the newest first if the manager knows how.
    page: "Callable[[Client, int, int, Filters], Any]"
    #: Reads one, without what is large.
    read: "Callable[[Client, str], Any]"
    has_names: bool = True

    @property
    def plural(self) -> str:
        return f"{self.word}s"

    def fetching(self, client: "Client", only: "Filters") -> pages.Fetch:
        """Make what fetches a page of those that fit query parameters."""
        return lambda offset, limit, cursor: self.page(client, offset, limit, with_cursor(only, cursor))


TASK = Kind(
    "task",
    "id",
    lambda client, offset, limit, only: client.tasks(
        offset=offset, limit=limit, only={"order": "newest", **only}
    ),
    lambda client, task_id: client.task(task_id),
    has_names=False,
)
WORKFLOW = Kind(
    "workflow",
    "workflow_id",
    lambda client, offset, limit, only: client.workflows(offset=offset, limit=limit, only=only),
    lambda client, workflow_id: client.workflow(workflow_id, with_tasks=False),
)
JOB = Kind(
    "job",
    "job_id",
    lambda client, offset, limit, only: client.jobs(offset=offset, limit=limit, only=only, with_tasks=False),
    lambda client, job_id: client.job_summary(job_id),
)
PROPLET = Kind(
    "proplet",
    "id",
    lambda client, offset, limit, only: client.proplets(offset=offset, limit=limit, only=only),
    lambda client, proplet_id: client.proplet(proplet_id),
)
_KINDS = (TASK, WORKFLOW, JOB, PROPLET)


def with_cursor(only: "Filters", cursor: str) -> "Filters":
    return {**only, "cursor": cursor} if cursor else only


def named(session: "Session", kind: Kind, given: str, act: Callable[[str], _T]) -> _T:
    """Do something with the record that people mean by what they have written.

    Args:
        session: Which manager.
        kind: What it is.
        given: An id, or what may stand for one.
        act: Takes the id.

    Raises:
        NotFound: There is none; the message says what there is.
        Invalid: There are several.

    """
    try:
        return act(given)
    except ApiError as error:
        if error.status != 404:
            raise
        refusal = error
    return act(_meant(session.client, kind, given, refusal))


def id_of(session: "Session", kind: Kind, given: str) -> str:
    """Find the id of the record that people mean; what is raised is as ``named`` has it."""
    return str(named(session, kind, given, lambda id_: kind.read(session.client, id_))[kind.key])


def _meant(client: "Client", kind: Kind, given: str, refusal: ApiError) -> str:
    if is_there(client, kind, given):  # it is something else of it that was not there
        raise refusal
    name, is_latest = given.removesuffix(_LATEST), given.endswith(_LATEST)
    try:
        found = _newest(client, kind, name) if is_latest else _fitting(client, kind, name)
    except ApiError as error:
        if error.status != 404:
            raise
        raise refusal from error  # a manager of the existing system lists no workflows
    ids = [record[kind.key] for record in found]
    if not ids:
        raise NotFound(_nothing(client, kind, given))
    if len(ids) > 1:
        shown = _listed(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        newest = "" if kind is PROPLET else f", or {given}{_LATEST} for the newest"
        raise Invalid(f"{given} may be each of these {kind.plural}: {shown}; write more of the id{newest}")
    return str(ids[0])


def _fitting(client: "Client", kind: Kind, name: str) -> list[Any]:
    """Find those whose UUID begins so, or else those of this name; no more than have to be shown.

    All is checked here once more, for managers that know no such query parameters.
    """
    many = _SHOWN + 1
    found: list[Any] = []
    if len(name) >= _BEGINNING_CHARS:
        listed = _listing(client, kind, {"id_prefix": name})
        found = [*islice((one for one in listed if _is_beginning(name, one[kind.key])), many)]
    if not found and kind.has_names:
        listed = _listing(client, kind, {"name": name})
        found = [*islice(_without_runs(kind, (one for one in listed if one.get("name") == name)), many)]
    return found


def _without_runs(kind: Kind, records: Iterable[Any]) -> Iterator[Any]:
    """Give each record once; for the runs of one with a schedule, which have its name, that one."""
    seen = set[str]()
    for record in records:
        id_ = record.get("run_of") or record[kind.key]
        if id_ not in seen:
            seen.add(id_)
            yield {kind.key: id_}


def _newest(client: "Client", kind: Kind, name: str) -> list[Any]:
    """Find the newest of all, or of those that fit, if there is one."""
    if kind is PROPLET:
        raise Invalid(f"{name}{_LATEST}: the manager does not say which proplet is the newest; write an id")

    def fits(record: Any) -> bool:
        id_ = record[kind.key]
        return (
            not name
            or (len(name) >= _BEGINNING_CHARS and _is_beginning(name, id_))
            or (id_.startswith(name) and bool(_RUN.fullmatch(id_, len(name))))
        )

    only = {"id_prefix": name} if name else {}
    found = filter(fits, _listing(client, kind, only))
    if kind is TASK and not client.lists_workflows():  # it has the oldest first
        newest = max(reversed([*found]), key=_created, default=None)
        return [newest] if newest else []
    first = [*islice(found, 1)]
    if not first and kind.has_names:
        listed = _listing(client, kind, {"name": name})
        first = [*islice((one for one in listed if one.get("name") == name), 1)]
    return first


def _created(record: Mapping[str, Any]) -> float:
    at = formatting.when(record.get("created_at"))
    return at.timestamp() if at else 0.0


def _is_beginning(name: str, id_: str) -> bool:
    return id_.startswith(name) and bool(_UUID.fullmatch(id_))


def _listing(client: "Client", kind: Kind, only: Mapping[str, str]) -> Iterator[Any]:
    return pages.records(kind.fetching(client, only), kind.plural)


def _nothing(client: "Client", kind: Kind, given: str) -> str:
    """Say that there is none, and what there is."""
    missing = f"there is no {kind.word} {given}"
    for other in _KINDS:
        if other is not kind and is_there(client, other, given):
            return f"{missing}, but a {other.word}: propeller {other.plural} view {given}"
    there = _listed([record[kind.key] for record in kind.page(client, 0, 3, {})[kind.plural]][:3])
    if not there:
        return f"{missing}; there are none yet"
    return f"{missing}; there are {there}; see: propeller {kind.plural} list"


def _listed(ids: Iterable[str]) -> str:
    return ", ".join(formatting.one_line(id_, 255) for id_ in ids)


def is_there(client: "Client", kind: Kind, given: str) -> bool:
    """Say whether there is a record with exactly this id."""
    try:
        kind.read(client, given)
    except ApiError:
        return False
    return True
