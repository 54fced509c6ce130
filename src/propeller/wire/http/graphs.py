"""All tasks of a workflow or job by columns; an extension, for those who draw thousands of them."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.http.schema import State, like

#: Milliseconds since the epoch, 0 for none.
Ms = Annotated[int, like("Milliseconds since 1970, UTC; 0 for none.")]
Place = Annotated[int, like("A place in ``proplets``, from 0; -1 for none.")]


class GraphTasks(msgspec.Struct, kw_only=True):
    """The tasks in the order of their creation: each list has one value for each task."""

    ids: list[str]
    names: list[str]
    states: list[State]
    attempts: list[int]
    proplets: list[Place]
    created: list[Ms]
    #: When the present attempt was placed.
    placed: list[Ms]
    started: list[Ms]
    finished: list[Ms]
    #: 1 for one that serves, and goes on until it is stopped.
    up: list[int]
    #: ``run_if``, empty for none.
    conditions: list[str]
    #: The workflow that its last attempt runs, empty for none.
    sub_workflows: list[str]


class GraphView(msgspec.Struct, kw_only=True):
    """All tasks of a workflow or job, light enough for 50,000."""

    #: Of the last event that the answer knows of. What changes later comes from ``GET /events?after=`` this.
    event_id: int
    #: Of a job: parallel, sequential or configurable.
    mode: str | UnsetType = UNSET
    tasks: GraphTasks
    #: Ids; others name them by their places.
    proplets: list[str]
    #: Places of tasks in pairs: a parent and its child, then the next parent and its child.
    edges: list[int]
    #: Of attempts that were followed by another, the newest 20 of each task: place of the task, number,
    #: state, place of the proplet, start and end in ms.
    past_attempts: list[list[int]]
    #: The same of the present attempts of broadcast tasks, one for each proplet.
    executions: list[list[int]]
