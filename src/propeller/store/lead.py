"""Who leads those that share a store."""

from typing import NamedTuple


class Held(NamedTuple):
    """The lead of those that share a store, as one of them took it."""

    #: Larger at each take-over, but where a database has lost the last ones.
    token: int
    #: How many commits the engines had made before, ever.
    commits: int
    #: The id of who took it.
    holder: str


class Leader(NamedTuple):
    """The manager that leads those that share a store."""

    #: Larger at each take-over, as in ``Held``.
    token: int
    #: Its id.
    holder: str
    #: Its URL for other managers.
    address: str


class Identity(NamedTuple):
    """Who the managers of one database are for proplets at a broker: one manager."""

    id: str
    #: Larger at each take-over: at least the time, ns since the Unix epoch.
    epoch: int
