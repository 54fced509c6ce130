"""Lists of workflows and jobs: what a request wants to see of them, and the page that answers it."""

import msgspec
from msgspec import UNSET, UnsetType

from propeller.api import queries
from propeller.api.belonging import namespaces_of
from propeller.api.context import HttpRequest, context_of
from propeller.api.cursors import read_cursor, write_cursor
from propeller.core.model import GroupKind
from propeller.errors import Invalid
from propeller.store.port import Cursor, GroupFilter, GroupPage, Label
from propeller.wire.http.groups import LABELS_MAX


class Listed(msgspec.Struct):
    """A page of a list, as the store has it, and what the answer says of it besides its groups."""

    offset: int
    limit: int
    page: GroupPage
    next_cursor: str | UnsetType


async def read_list(request: HttpRequest, kind: GroupKind, *, tasks_max: int = 0) -> Listed:
    """Read the page that a request asks for; what else it wants of each group is the caller's."""
    page = queries.paging(request, queries.MANY)
    after = read_cursor(queries.text(request, queries.CURSOR), Cursor)
    if after is not None and page.offset:
        raise Invalid("cursor, offset: both say where the page begins; leave one of them out")
    found = await context_of(request).store.groups(
        kind,
        page.offset,
        page.limit,
        _filter(request, kind),
        tasks_max=tasks_max,
        after=after,
        earlier=queries.earlier(request),
    )
    next_cursor = UNSET if found.next is None else write_cursor(found.next)
    return Listed(page.offset, page.limit, found, next_cursor)


def _filter(request: HttpRequest, kind: GroupKind) -> GroupFilter:
    word = queries.status(request, queries.GROUP_STATUS, kind.value)
    other = queries.status(request, queries.GROUP_STATE, kind.value)
    if word and other and word != other:
        raise Invalid("status, state: they say the same, and differ; leave one of them out")
    return GroupFilter(
        state=queries.GROUP_STATES.get(word or other),
        id_prefix=queries.text(request, queries.ID_PREFIX),
        name=queries.text(request, queries.NAME),
        text=queries.searched(request),
        since=queries.time(request, queries.SINCE),
        until=queries.time(request, queries.UNTIL),
        labels=_labels(request),
        has_ended=queries.choice(request, queries.ENDED),
        namespaces=namespaces_of(request),
        created_by=queries.text(request, queries.CREATED_BY),
    )


def _labels(request: HttpRequest) -> tuple[Label, ...]:
    given = request.query_params.getlist(queries.LABEL.name)
    if len(given) > LABELS_MAX:
        raise Invalid(f"label: {len(given)} are too many; ask for at most {LABELS_MAX}")
    found = []
    for text in given:
        key, is_pair, value = text.partition("=")
        if not key:
            raise Invalid(f"label: {text!r} has no key; write key=value, or key for any value")
        found.append(Label(key, value if is_pair else None))
    return tuple(found)
