"""Workflows and jobs by columns."""

from collections.abc import Mapping
from typing import NamedTuple

from propeller.core.model import JobMode


class Graph(NamedTuple):
    """All tasks of a workflow or job by columns, in the order of their creation; texts are JSON in UTF-8."""

    #: Of the last event that the texts know of; they know of no later one.
    event_id: int
    #: As the group has it.
    mode: JobMode | None
    #: Arrays of as many values as there are tasks, by the names of columns.
    tasks: Mapping[str, bytes]
    #: Ids of the proplets that others name by their places here.
    proplets: bytes
    #: The places of a parent and its child, for each edge.
    edges: bytes
    #: Place of the task, attempt, state, place of the proplet, start and end, of each attempt.
    past_attempts: bytes
    #: The same of the present attempts of broadcast tasks, one on each proplet.
    executions: bytes
