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
