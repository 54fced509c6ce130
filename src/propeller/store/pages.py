"""Parts of lists, each with the length of the whole."""

from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """A part of a list."""

    #: The length of the whole list.
    total: int
    items: list[Item]

    @property
    def total_is_at_least(self) -> bool:
        """True if the list was too long to be counted for one page: it is longer than the total."""
        return False


class PageOfMany(Page[Item]):
    """A part of a list that is longer than its total."""

    @property
    def total_is_at_least(self) -> bool:
        return True


def cut(
    seqs: list[int], total: int, *, offset: int, limit: int, has_more: bool
) -> tuple[list[int], int, bool]:
    """Cut what was found for a page to what it shows; give its total too, and whether there may be more.

    Args:
        seqs: What was found from ``offset`` on, one more than the page shows if there is so much.
        total: How many were counted.
        offset: How many come before the page.
        limit: How many the page shows.
        has_more: True if the count has stopped at a bound.

    """
    if not has_more:
        return seqs[:limit], total, False
    if len(seqs) > limit:
        return seqs[:limit], max(total, offset + limit + 1), True
    return (seqs, offset + len(seqs), False) if seqs or not offset else (seqs, total, True)
