"""The health of a manager in the JSON of the HTTP API."""

from typing import Annotated

import msgspec

from propeller import __version__
from propeller.wire.http.schema import like


class HealthView(msgspec.Struct, kw_only=True):
    status: str = "pass"
    version: str = __version__
    commit: str = "none"
    description: str = "manager service"
    build_time: str = "unknown"
    instance_id: str


class ReadyView(msgspec.Struct, kw_only=True):
    ready: bool
    obstacles: Annotated[list[str], like("What keeps some or all proplets from running tasks, in words.")]
