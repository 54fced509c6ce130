"""Lists of the manager as they are shown: a page at a time, narrowed by a state and a search."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from propeller.cli import formatting
from propeller.client.errors import ApiError
from propeller.core.states import TaskState

if TYPE_CHECKING:
    from propeller.client.api import Client

#: Rows of a page.
PAGE = 100
#: Before a number in place of a cursor, for a manager that has none for tasks.
_OFFSET = "offset "
#: What may be chosen of tasks, and of workflows and jobs; "" is all.
TASK_STATES = ("", *(state.name.lower() for state in TaskState))
GROUP_STATES = ("", "running", "failed", "interrupted", "pending", "completed")


@dataclass
class Place:
    """Where in a list the reader is: the cursors of the pages before this one, the newest first."""

    search: str = ""
    state: str = ""
    cursors: list[str] = field(default_factory=lambda: [""])
    next_cursor: str = ""

    @property
    def number(self) -> int:
        return len(self.cursors)

    @property
    def cursor(self) -> str:
        return self.cursors[-1]

    @property
    def asked(self) -> tuple[str, str, str]:
        """What a page depends on."""
        return self.search, self.state, self.cursor

    def copy(self) -> "Place":
        """Give one for a thread, which nobody changes while it reads."""
        return replace(self, cursors=[*self.cursors])

    def narrow(self, *, search: str | None = None, state: str | None = None) -> None:
        """Choose anew, which begins at the first page."""
        self.search = self.search if search is None else search
        self.state = self.state if state is None else state
        self.cursors, self.next_cursor = [""], ""

    def turn(self, step: int) -> bool:
        """Go a page on or back; False where there is none."""
        if step > 0 and self.next_cursor:
            self.cursors.append(self.next_cursor)
        elif step < 0 and len(self.cursors) > 1:
            self.cursors.pop()
        else:
            return False
        self.next_cursor = ""
        return True


@dataclass
class Found:
    """A page of a list as it was answered."""

    items: list[Any]
    total: int
    next_cursor: str = ""
    #: What a reader has to know of it.
    remark: str = ""


def tasks(client: "Client", place: Place) -> Found:
    """Read a page of tasks, the newest first.

    A manager that can't search is asked for a page as it has it, and the page is searched here.
    """
    only = {"order": "newest"} | ({"state": place.state} if place.state else {})
    if place.cursor.startswith(_OFFSET):
        only["offset"] = place.cursor.removeprefix(_OFFSET)
    more = {"search": place.search, "cursor": "" if "offset" in only else place.cursor}
    page: Any = _knowing(client.tasks, only, {name: value for name, value in more.items() if value})
    items = [task for task in page["tasks"] if _is_in(task, place.state) and fits(task, "id", place.search)]
    remark = ""
    if len(items) < len(page["tasks"]):
        remark = (
            f"this manager can't search: only the {len(page['tasks'])} tasks that it showed were searched"
        )
    behind = page.get("offset", 0) + len(page["tasks"])
    rest = f"{_OFFSET}{behind}" if behind < page["total"] and not place.search else ""
    return Found(items, page["total"], page.get("next_cursor", rest), remark)


def proplets(client: "Client") -> Any:
    """Read a page of proplets, with the tasks that they run where the manager says so."""
    return _knowing(client.proplets, {}, {"tasks": "true"})


def _knowing(read: Callable[..., Any], only: Mapping[str, str], more: Mapping[str, str]) -> Any:
    """Read a page with query parameters of which an older manager does not know the latter."""
    try:
        return read(limit=PAGE, only={**only, **more})
    except ApiError as error:
        if error.status != 400 or not more:
            raise
        return read(limit=PAGE, only=only)


def groups(client: "Client", kind: str, place: Place) -> Found:
    """Read a page of workflows or jobs, the newest first.

    The manager finds an id by its beginning and a name as a whole; what has the text somewhere in either is
    found on the page.
    """
    read: Callable[..., Any] = client.workflows
    if kind == "job":
        read = _briefly(client)
    key = f"{kind}_id"
    chosen = {"status": place.state} if place.state else {}
    cursor = {"cursor": place.cursor} if place.cursor else {}
    page = read(limit=PAGE, only=chosen | cursor)
    plural = f"{kind}s"
    items = {
        one[key]: one for one in page[plural] if fits(one, key, place.search) and _is_in(one, place.state)
    }
    if place.search:
        for more in ({"name": place.search}, {"id_prefix": place.search}):
            exactly = read(limit=PAGE, only=chosen | more)[plural]
            items |= {one[key]: one for one in exactly if fits(one, key, place.search)}
    return Found([*items.values()], page["total"], page.get("next_cursor") or "")


def _briefly(client: "Client") -> Callable[..., Any]:
    return lambda **given: client.jobs(**given, with_tasks=False)


def fits(record: Mapping[str, Any], key: str, search: str) -> bool:
    """Say whether an id begins with a text or a name contains it, whatever the case of its letters."""
    wanted = search.casefold()
    return record[key].casefold().startswith(wanted) or wanted in str(record.get("name", "")).casefold()


def _is_in(record: Mapping[str, Any], state: str) -> bool:
    return not state or formatting.state_name(record["state"]).lower() == state


def of_sample(tasks: Iterable[Mapping[str, Any]], total: int) -> dict[str, Any]:
    """Count tasks by their states for a manager that does not do so; it shows no more than a page of them."""
    counted = dict.fromkeys(TASK_STATES[1:], 0)
    for task in tasks:
        counted[formatting.state_name(task["state"]).lower()] += 1
    return {"tasks": {**counted, "total": total}}
