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
#: How often a manager is asked to go on with a search before what it has found is shown.
_SEARCHES = 20
_UNKNOWN_PARAMETER = 400
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
    #: How many there are in all, where the manager says so.
    total: int | None
    next_cursor: str = ""
    #: What a reader has to know of it.
    remark: str = ""
    #: The manager has searched.
    is_searched: bool = False


def tasks(client: "Client", place: Place) -> Found:
    """Read a page of tasks, the newest first.

    A manager that can't search is asked for a page as it has it, and the page is searched here.
    """
    only = {"order": "newest"} | ({"state": place.state} if place.state else {})
    if place.cursor.startswith(_OFFSET):
        only["offset"] = place.cursor.removeprefix(_OFFSET)
        found = _page_of(client.tasks(limit=PAGE, only=only), "tasks")
    else:
        found = _knowing(client.tasks, "tasks", only, place)
    chosen = [task for task in found.items if _is_in(task, place.state) and fits(task, "id", place.search)]
    if len(chosen) < len(found.items):
        found.remark = f"this manager can't search: only the {len(found.items)} that it showed were searched"
    behind = len(found.items) + int(only.get("offset", 0))
    is_by_offset = not place.cursor or "offset" in only
    if is_by_offset and not (found.next_cursor or place.search) and behind < (found.total or 0):
        found.next_cursor = f"{_OFFSET}{behind}"
    found.items = chosen
    return found


def proplets(client: "Client") -> Any:
    """Read a page of proplets, with the tasks that they run where the manager says so."""
    try:
        return client.proplets(limit=PAGE, only={"tasks": "true"})
    except ApiError as error:
        if error.status != _UNKNOWN_PARAMETER:
            raise
        return client.proplets(limit=PAGE)


def groups(client: "Client", kind: str, place: Place) -> Found:
    """Read a page of workflows or jobs, the newest first.

    A manager that can't search finds an id by its beginning and a name as a whole; what has the text
    somewhere in either is found on the page.
    """
    read: Callable[..., Any] = client.workflows
    if kind == "job":
        read = _briefly(client)
    key, plural = f"{kind}_id", f"{kind}s"
    chosen = {"status": place.state} if place.state else {}
    found = _knowing(read, plural, chosen, place)
    items = {
        one[key]: one for one in found.items if fits(one, key, place.search) and _is_in(one, place.state)
    }
    if place.search and not found.is_searched:
        for more in ({"name": place.search}, {"id_prefix": place.search}):
            exactly = read(limit=PAGE, only=chosen | more)[plural]
            items |= {one[key]: one for one in exactly if fits(one, key, place.search)}
    found.items = [*items.values()]
    return found


def _knowing(read: Callable[..., Any], plural: str, only: Mapping[str, str], place: Place) -> Found:
    """Read a page by cursor and with the search; an older manager refuses one of them, or both.

    A manager searches so much at once and no more: then it is asked to go on, up to a bound.
    """
    search = {"search": place.search} if place.search else {}
    ways = [{**search, "cursor": place.cursor}]
    if search:
        ways.append({"cursor": place.cursor})
    if not place.cursor:
        ways.append({})
    for way in ways:
        try:
            return _read_on(read, plural, {**only, **way})
        except ApiError as error:
            if error.status != _UNKNOWN_PARAMETER or way is ways[-1]:
                raise
    raise AssertionError("the last way returns or raises")


def _read_on(read: Callable[..., Any], plural: str, only: dict[str, str]) -> Found:
    found = _page_of(read(limit=PAGE, only=only), plural)
    for _ in range(_SEARCHES if "search" in only else 0):
        if not found.next_cursor or len(found.items) >= PAGE:
            break
        more = _page_of(read(limit=PAGE, only={**only, "cursor": found.next_cursor}), plural)
        found = Found([*found.items, *more.items], more.total, more.next_cursor)
    found.is_searched = "search" in only
    return found


def _page_of(answer: Mapping[str, Any], plural: str) -> Found:
    return Found([*answer[plural]], answer.get("total"), answer.get("next_cursor") or "")


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
