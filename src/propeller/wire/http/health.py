"""The health of a manager in the JSON of the HTTP API."""

import msgspec

from propeller import __version__


class HealthView(msgspec.Struct, kw_only=True):
    status: str = "pass"
    version: str = __version__
    commit: str = "none"
    description: str = "manager service"
    build_time: str = "unknown"
    instance_id: str
