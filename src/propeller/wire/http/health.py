"""The health of a manager in the JSON of the HTTP API."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller import __version__
from propeller.wire.http.schema import like

LEADER, FOLLOWER = "leader", "follower"


class HealthView(msgspec.Struct, kw_only=True):
    status: str = "pass"
    version: str = __version__
    commit: str = "none"
    description: str = "manager service"
    build_time: str = "unknown"
    instance_id: str
    role: Annotated[
        str,
        like(
            "Whether this manager leads, or follows another one of its database.",
            title="ManagerRole",
            enum=[LEADER, FOLLOWER],
        ),
    ]
    leader: Annotated[str, like("URL of the manager that leads, if that is another.")] | UnsetType = UNSET


class ReadyView(msgspec.Struct, kw_only=True):
    ready: bool
    obstacles: Annotated[list[str], like("What keeps some or all proplets from running tasks, in words.")]
    warnings: Annotated[list[str], like("What will be an obstacle soon, in words.")] = []
