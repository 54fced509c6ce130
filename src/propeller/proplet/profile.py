"""Settings of what is measured: by the owner of the proplet, and by the user of a task."""

from collections.abc import Mapping
from typing import Any

import msgspec

from propeller.wire.fleet.from_manager import Start

INTERVAL_S = 10
_INTERVAL_S_MAX = 120
_HISTORY_MAX = 10_000


class Monitoring(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a proplet."""

    #: Measure at all, tasks as well.
    enabled: bool = True
    #: How often the proplet itself is measured; 0 for never.
    interval_s: float = INTERVAL_S
    #: As in the heartbeats.
    namespace: str = "default"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of what is measured of a task."""

    enabled: bool
    #: The user asked for it; without that, only tasks that run for long are measured.
    is_asked_for: bool
    #: Seconds.
    interval: int
    collect_cpu: bool
    collect_memory: bool
    collect_disk_io: bool
    collect_threads: bool
    collect_file_descriptors: bool
    #: Whether samples go to the manager.
    export_to_mqtt: bool
    #: Whether samples are retained, so that each can be sent with an aggregate.
    retain_history: bool
    #: How many.
    history_size: int


def profile_of(start: Start) -> Profile:
    """Read a task's profile; what it leaves out, or has wrong, is as for a task without one."""
    given: dict[str, Any] = start.monitoring_profile if isinstance(start.monitoring_profile, dict) else {}
    interval, history_size = (120, 500) if start.daemon else (INTERVAL_S, 100)
    enabled = _is_on(given, "enabled")
    return Profile(
        enabled=enabled,
        is_asked_for=bool(given) and enabled,
        interval=_number(given, "interval", interval, _INTERVAL_S_MAX),
        collect_cpu=_is_on(given, "collect_cpu"),
        collect_memory=_is_on(given, "collect_memory"),
        collect_disk_io=_is_on(given, "collect_disk_io"),
        collect_threads=_is_on(given, "collect_threads"),
        collect_file_descriptors=_is_on(given, "collect_file_descriptors"),
        export_to_mqtt=_is_on(given, "export_to_mqtt"),
        retain_history=_is_on(given, "retain_history"),
        history_size=_number(given, "history_size", history_size, _HISTORY_MAX),
    )


def _is_on(given: Mapping[str, Any], name: str) -> bool:
    return given.get(name) is not False


def _number(given: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = given.get(name)
    return min(int(value), most) if isinstance(value, int | float) and value >= 1 else default
