"""Lists that take several requests to read."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

#: Fetches a page: how many entries to skip, how many to show, and the cursor of the page before, or ``""``.
Fetch = Callable[[int, int, str], Any]

#: The most that every list of the API gives at once.
_PAGE = 100


def read(fetch: Fetch, kind: str, key: str, *, start: int = 0, wanted: int = sys.maxsize) -> Any:
    """Read as much of a list as is wanted, and make one page of it; each record is in it once.

    Args:
        fetch: Fetches a page.
        kind: The field of a page that has the records.
        key: The field of a record that has its id.
        start: How many to skip.
        wanted: How many to read.

    """
    pages = _pages(fetch, kind, start, wanted)
    page = last = next(pages)
    found = {one[key]: one for one in page[kind]}
    for last in pages:
        # What came meanwhile pushes others onto the next page, once more.
        found |= {one[key]: one for one in last[kind]}
    whole = {name: value for name, value in page.items() if name != "next_cursor"}
    further = {"next_cursor": last["next_cursor"]} if "next_cursor" in last else {}
    return whole | {kind: [*found.values()]} | further


def records(fetch: Fetch, kind: str) -> Iterator[Any]:
    """Yield the records of a list, which is read only as far as they are taken."""
    for page in _pages(fetch, kind, 0, sys.maxsize):
        yield from page[kind]


def _pages(fetch: Fetch, kind: str, start: int, wanted: int) -> Iterator[Any]:
    """Read on by cursor where the manager has one, which what is created meanwhile does not move.

    A page of a search may be short, and has no total.
    """
    at, end, cursor = start, start + wanted, ""
    while True:
        page = fetch(0 if cursor else at, min(end - at, _PAGE), cursor)
        yield page
        at += len(page[kind])
        was_by_cursor, cursor = bool(cursor), page.get("next_cursor", "")
        is_counted = not was_by_cursor and not cursor and "total" in page
        is_over = (not page[kind] or at >= page["total"]) if is_counted else not cursor
        if is_over or at >= end:
            return
