"""Query parameters, declared once for the handlers and for the OpenAPI document.

If a parameter is repeated, the first one counts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from propeller.access.namespaces import PATTERN
from propeller.api.context import HttpRequest
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, TaskState
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration
from propeller.wire.http.groups import LABELS_MAX
from propeller.wire.http.schema import encode
from propeller.wire.rfc3339 import parse_time
from propeller.wire.validation import known_instead

INT64_MAX = 2**63 - 1
GROUPS_MAX = 1000
#: How many tasks a list of groups shows in all.
TASKS_IN_LIST_MAX = 1000
METADATA_PAIRS_MAX = 32
SEARCH_CHARS_MAX = 1000
#: How many of its tasks a proplet is shown with, and how many the proplets of a page are in all.
RUNNING_SHOWN_MAX = 200
RUNNING_IN_PAGE_MAX = 20_000
#: A year.
SECONDS_MAX = 31_622_400
#: The form of most durations, for the document; ``wire.durations`` reads them all.
DURATION = r"^([0-9]{1,7}(ms|s)?)?$"

_METADATA_KEY = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_DIGITS = re.compile(r"[0-9]{1,19}")


class Query(msgspec.Struct, frozen=True):
    """A query parameter and its JSON schema; ``style`` has other fields for the document."""

    name: str
    description: str
    schema: dict[str, Any]
    style: dict[str, Any] = {}


OFFSET = Query(
    "offset", "How many to skip.", {"type": "integer", "minimum": 0, "maximum": INT64_MAX, "default": 0}
)
LIMIT = Query("limit", "How many to show.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 100})
MANY = Query(
    "limit", "How many to show.", {"type": "integer", "minimum": 0, "maximum": GROUPS_MAX, "default": 100}
)
SHOW_FILE = Query(
    "file", "With false, answers leave out the modules of tasks.", {"type": "boolean", "default": True}
)
SHOW_TASKS = Query("tasks", "With false, a summary without the tasks.", {"type": "boolean", "default": True})
SHOW_TASKS_OF_LISTED = Query(
    "tasks",
    f"With false, jobs are shown without tasks. A page has {TASKS_IN_LIST_MAX} tasks at most, all or none "
    "of a job: ask for those left out with GET /jobs/{id} or GET /tasks?job_id=.",
    {"type": "boolean", "default": True},
)
OF_TASK = Query("task_id", "Only those of this task.", {"type": "string"})
OF_WORKFLOW = Query("workflow_id", "Only those of this workflow.", {"type": "string"})
OF_JOB = Query("job_id", "Only those of this job.", {"type": "string"})
TASK_STATES: dict[str, TaskState] = {state.name.lower(): state for state in TaskState}
TASK_STATE = Query("state", "Only those in this state.", {"type": "string", "enum": ["", *TASK_STATES]})
SEARCH = Query(
    "search",
    "Only those whose id begins with this or whose name contains it, in whatever case. Those found by their "
    "ids come first, if they fit in a page. A search takes a bounded time and goes on with next_cursor.",
    {"type": "string", "maxLength": SEARCH_CHARS_MAX},
)
GROUP_SEARCH = Query(
    "search",
    "Only those whose id begins with this or whose name contains it, in whatever case.",
    SEARCH.schema,
)
TASK_CURSOR = Query(
    "cursor",
    "The next_cursor of the page before, or nothing for the first page: no task comes twice or is missed.",
    {"type": "string"},
)
ON_PROPLET = Query(
    "proplet_id",
    "Only those whose last attempt is, or was, on this proplet; such a page has no total, and goes on with "
    "next_cursor.",
    {"type": "string"},
)
NAMESPACE = Query(
    "namespace",
    "Only those of this namespace; without it, those of all that who asks may see.",
    {"type": "string", "pattern": PATTERN},
)
IN_NAMESPACE = Query(
    "namespace",
    "The namespace that it is to belong to, where the body names none; without either, the only one of who "
    "asks, or default.",
    NAMESPACE.schema,
)
CREATED_BY = Query("created_by", "Only those that this one created.", {"type": "string"})
ID_PREFIX = Query("id_prefix", "Only those whose id begins with this.", {"type": "string"})
NAME = Query("name", "Only those of this name.", {"type": "string"})
SINCE = Query("since", "Only those created then or later.", {"type": "string", "format": "date-time"})
FAILED_SINCE = Query("since", "Only those that failed then or later.", SINCE.schema)
FEW = Query("limit", "How many to show.", {"type": "integer", "minimum": 0, "maximum": 100, "default": 20})
ORDER = Query(
    "order",
    "Which come first, by the time of their creation.",
    {"type": "string", "enum": ["oldest", "newest"], "default": "oldest"},
)
METADATA = Query(
    "metadata",
    'Only tasks whose metadata have these keys and values: metadata[team]=ops, or metadata={"team":"ops"}.',
    {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": METADATA_PAIRS_MAX},
    {"style": "deepObject", "explode": True},
)
GROUP_STATES: dict[str, TaskState] = {
    "pending": PENDING,
    "running": RUNNING,
    "completed": COMPLETED,
    "failed": FAILED,
    "interrupted": INTERRUPTED,
}
GROUP_STATUS = Query("status", "Only those in this state.", {"type": "string", "enum": ["", *GROUP_STATES]})
GROUP_STATE = Query("state", "The same as status.", GROUP_STATUS.schema)
UNTIL = Query("until", "Only those created before then.", {"type": "string", "format": "date-time"})
ENDED = Query(
    "ended",
    "With true, only those none of whose tasks is under way; with false, only the others.",
    {"type": "boolean"},
)
LABEL = Query(
    "label",
    "Only those with this label: key=value, or key for any value. If it is repeated, all are asked for.",
    {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": LABELS_MAX},
    {"style": "form", "explode": True},
)
CURSOR = Query(
    "cursor",
    "The next_cursor of the page before: no group comes twice or is missed, whatever is created meanwhile.",
    {"type": "string"},
)
EARLIER_MAX = 50
EARLIER = Query(
    "earlier",
    "Show with each group so many of its kind and name that were created before it, the newest first.",
    {"type": "integer", "minimum": 0, "maximum": EARLIER_MAX, "default": 0},
)
#: What every list of groups takes.
OF_GROUPS = (
    OFFSET,
    MANY,
    CURSOR,
    GROUP_STATUS,
    GROUP_STATE,
    ID_PREFIX,
    NAME,
    GROUP_SEARCH,
    LABEL,
    SINCE,
    UNTIL,
    ENDED,
    EARLIER,
    NAMESPACE,
    CREATED_BY,
)
SHOW_RUNNING = Query(
    "tasks",
    "With true, each proplet comes with the tasks that are placed on it, those that came first at the front: "
    f"at most {RUNNING_SHOWN_MAX}, and as many of each that a page has at most {RUNNING_IN_PAGE_MAX}.",
    {"type": "boolean", "default": False},
)
PROPLET_STATUS = Query("status", "Only these.", {"type": "string", "enum": ["", "active", "inactive"]})
DRAIN_TIMEOUT = Query(
    "timeout",
    "Time after which the remaining tasks are moved to others: 30s, 10m, or a number of seconds.",
    {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": SECONDS_MAX},
            {"type": "string", "pattern": DURATION},
        ]
    },
)
AFTER = Query(
    "after",
    "Begin after the event with this id; without it, with the next one.",
    {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
)
BRIEF = Query(
    "brief",
    "With true, the changes of 100 ms, up to 1,000, come as one event, changes: an array of rows. A row has "
    "the id of the task, its state, the attempt, the id of the proplet or nothing, the time in ms since "
    "1970, and 1 if it is up.",
    {"type": "boolean", "default": False},
)
EVENTS_AFTER = Query("after", "Only events after the one with this id.", AFTER.schema)
LAST_EVENT_ID = Query(
    "Last-Event-ID", "The same as after, which it overrides.", AFTER.schema, {"in": "header"}
)
IDEMPOTENCY_KEY = Query(
    "Idempotency-Key",
    "A name of the client's for this request, such as a random UUID. A request that comes again under the "
    "same key within a day is not carried out again and gets the same answer. One that is refused may be "
    "sent again, also changed, under its key.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]([ -~]{0,253}[!-~])?$"},
    {"in": "header"},
)
#: The header of an answer to a request that was carried out before.
REPLAYED = "Idempotent-Replayed"
LOG_STREAM = Query(
    "stream", "Only the logs of this stream.", {"type": "string", "enum": ["", "stdout", "stderr"]}
)
LOG_ATTEMPT = Query(
    "attempt",
    "Only the logs of this attempt, or of all; without it, of the last attempt that wrote something.",
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": INT64_MAX}, {"const": "all"}]},
)
ATTEMPT = Query(
    "attempt",
    "Of this attempt; without it, of the last one.",
    {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
)
OF_PROPLET = Query(
    "proplet_id", "Of the attempt on this proplet; with broadcast there are several.", {"type": "string"}
)
TAIL = Query(
    "tail", "Only this many lines from the end.", {"type": "integer", "minimum": 0, "maximum": INT64_MAX}
)
PIECES_AFTER = Query("after", "Only pieces after the one with this id.", AFTER.schema)
PIECES = Query(
    "limit",
    "How many pieces to show; with follow, all are sent.",
    {"type": "integer", "minimum": 1, "maximum": GROUPS_MAX, "default": GROUPS_MAX},
)
FOLLOW = Query(
    "follow",
    "With true, server-sent events: one log for each piece, present or new, and an end.",
    {"type": "boolean", "default": False},
)


def check_known(request: HttpRequest, known: Sequence[Query]) -> None:
    """Refuse a query parameter that the endpoint does not have: it would change nothing."""
    if not request.scope["query_string"]:
        return
    names = [query.name for query in known if "in" not in query.style]
    for name in request.query_params:
        if name not in names and not (METADATA in known and _METADATA_KEY.fullmatch(name)):
            raise Invalid(f"{name}: there is no such query parameter here; {known_instead(name, names)}")


class Paging(NamedTuple):
    offset: int
    limit: int


def paging(request: HttpRequest, limit: Query = LIMIT) -> Paging:
    return Paging(whole(request, OFFSET) or 0, within(request, limit))


def within(request: HttpRequest, limit: Query) -> int:
    """Return how many items to show; raise ``Invalid`` if that is out of bounds."""
    count = _or(whole(request, limit), limit.schema["default"])
    if not limit.schema["minimum"] <= count <= limit.schema["maximum"]:
        allowed = f"{limit.schema['minimum']} to {limit.schema['maximum']}"
        raise Invalid(f"limit: invalid limit size; give {allowed}")
    return count


def earlier(request: HttpRequest) -> int:
    count = whole(request, EARLIER) or 0
    if count > EARLIER_MAX:
        raise Invalid(f"earlier: {count} are too many; give 0 to {EARLIER_MAX}")
    return count


def _given(request: HttpRequest, query: Query) -> str | None:
    values = request.query_params.getlist(query.name)
    return values[0] if values else None


def whole(request: HttpRequest, query: Query) -> int | None:
    value = _given(request, query)
    return None if value is None else to_whole(value, query.name)


def to_whole(value: str, name: str) -> int:
    if not _DIGITS.fullmatch(value) or int(value) > INT64_MAX:
        raise Invalid(f'invalid {name}: parsing "{value}": not a whole number from 0 to {INT64_MAX}')
    return int(value)


def last_event_id(request: HttpRequest) -> int | None:
    """Return the id of the last event that a returning follower has seen; None for a new follower."""
    value = request.headers.get(LAST_EVENT_ID.name)
    return to_whole(value, LAST_EVENT_ID.name) if value is not None else None


def log_attempt(request: HttpRequest) -> int | None:
    """Return the number of the attempt that the request names; 0 for all, None if it names none."""
    value = _given(request, LOG_ATTEMPT)
    if value is None:
        return None
    number = 0 if value == "all" else to_whole(value, LOG_ATTEMPT.name)
    if not number and value != "all":
        raise Invalid("attempt: they are counted from 1; give a number, or all")
    return number


def flag(request: HttpRequest, query: Query) -> bool:
    value = choice(request, query)
    return bool(query.schema["default"]) if value is None else value


def choice(request: HttpRequest, query: Query) -> bool | None:
    """Return true or false; None where the request leaves it open."""
    value = _given(request, query)
    if value is None:
        return None
    if value not in ("true", "false", "1", "0"):
        raise Invalid(f'{query.name}: "{value}" is neither true nor false')
    return value in ("true", "1")


def text(request: HttpRequest, query: Query) -> str:
    return _given(request, query) or ""


def searched(request: HttpRequest) -> str:
    """Read the text of a search; ``""`` where there is none."""
    value = text(request, SEARCH)
    if len(value) > SEARCH_CHARS_MAX:
        raise Invalid(f"search: it is longer than {SEARCH_CHARS_MAX} characters; give a part of it")
    return value


def word(request: HttpRequest, query: Query) -> str:
    """Return one of the words that the query allows; ``""`` stands for all."""
    value = text(request, query)
    words = query.schema["enum"]
    if value not in words:
        raise Invalid(
            f'{query.name}: "{value}" is none; use {", ".join(filter(None, words))}, or leave it out'
        )
    return value


def status(request: HttpRequest, query: Query, of: str) -> str:
    """Return one of the words that the query allows; ``""`` stands for all."""
    value = text(request, query)
    words = query.schema["enum"]
    if value not in words:
        raise Invalid(f'status: invalid {of} status "{value}"; use {", ".join(filter(None, words))}')
    return value


def is_newest_first(request: HttpRequest) -> bool:
    value = text(request, ORDER) or ORDER.schema["default"]
    if value not in ORDER.schema["enum"]:
        raise Invalid(f'order: "{value}" is none; use oldest or newest, or leave it out')
    return bool(value == "newest")


def time(request: HttpRequest, query: Query) -> int:
    """Read a time, ns since the epoch; 0 where there is none."""
    given = _given(request, query)
    if given is None:
        return 0
    at = parse_time(given)
    if at is None:
        raise Invalid(f"{query.name}: {given!r} is no time; write one as 2026-01-31T12:00:00Z")
    return min(at, INT64_MAX)


def metadata(request: HttpRequest) -> Mapping[str, str]:
    """Read a filter by metadata in either of its forms; values are compared as text."""
    wanted: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        bracketed = _METADATA_KEY.fullmatch(key)
        if bracketed:
            wanted.setdefault(bracketed[1], value)
    given = request.query_params.getlist(METADATA.name)
    if len(given) > 1:
        raise Invalid("metadata: multiple values not supported for metadata; put all pairs into one object")
    if given:
        wanted |= _metadata_object(given[0])
    if len(wanted) > METADATA_PAIRS_MAX:
        raise Invalid(f"metadata: more than {METADATA_PAIRS_MAX} pairs; ask for fewer")
    return wanted


def _metadata_object(given: str) -> dict[str, str]:
    try:
        pairs = msgspec.json.decode(given, type=dict[str, Any] | None) or {}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"metadata: invalid metadata: {error}; give a JSON object") from error
    return {key: value if isinstance(value, str) else encode(value).decode() for key, value in pairs.items()}


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def seconds(request: HttpRequest, query: Query) -> float | None:
    """Read a duration; None if there is none."""
    given = text(request, query)
    if not given:
        return None
    try:
        value = parse_duration(given)
    except ValueError as error:
        raise Invalid(f"{query.name}: {given!r} {error}") from error
    if value > SECONDS_MAX:
        raise Invalid(f"{query.name}: {given!r} is longer than a year; give less, or leave it out")
    return value
