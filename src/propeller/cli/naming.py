"""What people may write where a command takes an id.

An id always means itself. Only where there is no such record, the beginning of one id may stand for it, or
the name of one workflow, job or proplet; and ``@latest`` stands for the newest: of all, or behind a name or a
beginning of those that fit.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from propeller.cli import formatting
from propeller.client.errors import ApiError
from propeller.errors import Invalid, NotFound

if TYPE_CHECKING:
    from propeller.cli.session import Session
    from propeller.client.api import Client

_T = TypeVar("_T")
_LATEST = "@latest"
_SHOWN = 5


class Kind(NamedTuple):
    """A kind of records that commands name."""

    word: str
    #: The field of its id.
    key: str
    #: Looks for the newest ones that fit query parameters.
    newest: "Callable[[Client, int, Mapping[str, str]], Any]"
    #: Reads one, without what is large.
    read: "Callable[[Client, str], Any]"
    has_names: bool = True


TASK = Kind(
    "task",
    "id",
    lambda client, limit, only: client.tasks(limit=limit, only={"order": "newest", **only})["tasks"],
    lambda client, task_id: client.task(task_id),
    has_names=False,
)
WORKFLOW = Kind(
    "workflow",
    "workflow_id",
    lambda client, limit, only: client.workflows(limit=limit, only=only)["workflows"],
    lambda client, workflow_id: client.workflow(workflow_id, with_tasks=False),
)
JOB = Kind(
    "job",
    "job_id",
    lambda client, limit, only: client.jobs(limit=limit, only=only, with_tasks=False)["jobs"],
    lambda client, job_id: client.job_summary(job_id),
)
PROPLET = Kind(
    "proplet",
    "id",
    lambda client, _limit, _only: client.proplets(limit=1000)["proplets"],
    lambda client, proplet_id: client.proplet(proplet_id),
)
_KINDS = (TASK, WORKFLOW, JOB, PROPLET)


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


def _meant(client: "Client", kind: Kind, given: str, refusal: ApiError) -> str:
    name, is_latest = given.removesuffix(_LATEST), given.endswith(_LATEST)
    try:
        found = _fitting(client, kind, name)
    except ApiError as error:
        if error.status != 404:
            raise
        raise refusal from error  # a manager of the existing system lists no workflows
    ids = [record[kind.key] for record in found]
    if given in ids:  # it is there: something else of it was not
        raise refusal
    if not found:
        raise NotFound(_nothing(client, kind, given))
    if len(found) > 1 and not is_latest:
        shown = _listed(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        newest = "" if kind is PROPLET else f", or {given}{_LATEST} for the newest"
        raise Invalid(f"{given} may be each of these {kind.word}s: {shown}; write more of the id{newest}")
    times = [formatting.when(record.get("created_at")) for record in found]
    if is_latest and (None in times or times != sorted(times, reverse=True)):  # type: ignore[type-var]
        raise Invalid(f"{given}: the manager does not say which {kind.word} is the newest; write an id")
    return str(ids[0])


def _fitting(client: "Client", kind: Kind, name: str) -> list[Any]:
    """Find the newest whose id begins so, or else those of this name.

    It is checked here once more, for managers that know no such query parameters.
    """
    many = _SHOWN + 1
    found = kind.newest(client, many, {"id_prefix": name} if name else {})
    fitting = [record for record in found if record[kind.key].startswith(name)]
    if not fitting and kind.has_names:
        found = kind.newest(client, many, {"name": name})
        fitting = [record for record in found if record.get("name") == name]
    return fitting


def _nothing(client: "Client", kind: Kind, given: str) -> str:
    """Say that there is none, and what there is."""
    missing = f"there is no {kind.word} {given}"
    for other in _KINDS:
        if other is not kind and _is_there(client, other, given):
            return f"{missing}, but a {other.word}: propeller {other.word}s view {given}"
    there = _listed([record[kind.key] for record in kind.newest(client, 3, {})][:3])
    if not there:
        return f"{missing}; there are none yet"
    return f"{missing}; there are {there}; see: propeller {kind.word}s list"


def _listed(ids: Iterable[str]) -> str:
    return ", ".join(formatting.one_line(id_, 255) for id_ in ids)


def _is_there(client: "Client", kind: Kind, given: str) -> bool:
    try:
        kind.read(client, given)
    except ApiError:
        return False
    return True
