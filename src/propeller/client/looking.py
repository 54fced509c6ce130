"""The part of ``Client`` that looks at the whole.

That is how much there is of everything, at what pace it moves, and all tasks of a workflow or job at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

import httpx

from propeller.client import events, shapes
from propeller.errors import Invalid

#: For how long a manager that has answered before may be away.
AWAY_S = 60.0


class Looking(ABC):
    """Requests about the whole; a manager that only knows the contract has none of them."""

    _http: httpx.Client

    @abstractmethod
    def request(self, method: str, path: str, *, query: Any = None, **body: Any) -> Any:
        """Send a request and return the JSON of the answer."""

    def overview(self) -> shapes.Overview:
        """Return how many tasks, workflows, jobs and proplets there are, by state."""
        return cast("shapes.Overview", self.request("GET", "/overview"))

    def follow_overview(
        self, *, give_up_s: float = AWAY_S, on_break: events.OnBreak | None = None
    ) -> Iterator[shapes.Overview | None]:
        """Yield the overview as it is, and whenever it changes; None among them is a sign of life."""
        return events.stream(self._http, "/overview", {}, give_up_s=give_up_s, on_break=on_break)

    def task_provenance(
        self, task_id: str, *, attempt: int | None = None, proplet_id: str | None = None
    ) -> dict[str, Any]:
        """Return an in-toto statement: where the result of an attempt comes from, or of the last one."""
        query = {"attempt": attempt, "proplet_id": proplet_id}
        chosen = {name: value for name, value in query.items() if value is not None}
        path = f"/tasks/{quote(task_id, safe='')}/provenance"
        return cast("dict[str, Any]", self.request("GET", path, query=chosen))

    def pace(self) -> shapes.PaceOfAll:
        """Return how many tasks began and ended in each step of the last hour."""
        return cast("shapes.PaceOfAll", self.request("GET", "/pace"))

    def failures(self, *, since: str = "", limit: int = 20) -> shapes.Failures:
        """Return the newest failures, and how many there are since a time (RFC 3339)."""
        query = {"limit": str(limit)} | ({"since": since} if since else {})
        return cast("shapes.Failures", self.request("GET", "/failures", query=query))

    def graph(self, of: str, group_id: str) -> shapes.Graph:
        """Return all tasks of one of the ``workflows`` or ``jobs`` in columns, and what depends on what."""
        return cast("shapes.Graph", self.request("GET", path_to(of, group_id, "graph")))

    def follow_changes(
        self,
        *,
        workflow_id: str = "",
        job_id: str = "",
        after: int | None = None,
        give_up_s: float = AWAY_S,
        on_break: events.OnBreak | None = None,
    ) -> Iterator[list[shapes.Change] | None]:
        """Yield the changes of tasks' states in brief, several at once; None as ``follow`` has it.

        With ``after``, begin behind the event with this id.
        """
        only = {"workflow_id": workflow_id, "job_id": job_id}
        query = {"brief": "true"} | {name: value for name, value in only.items() if value}
        if after is not None:
            query["after"] = str(after)
        return events.stream(self._http, "/events", query, give_up_s=give_up_s, on_break=on_break)


def path_to(kind: str, entity_id: str, *rest: str) -> str:
    """Write the path of a record, or of a part of it.

    Raises:
        Invalid: The id is empty.

    """
    if not entity_id:
        raise Invalid(f"{kind}: the id is empty")
    return "/" + "/".join([kind, quote(entity_id, safe="", errors="surrogateescape"), *rest])
