"""The sandbox policy of a proplet: what its owner gives every guest, and what a task may ask for."""

import msgspec
from msgspec import UNSET

from propeller.core.sandbox import Grants, Offer, Sandbox
from propeller.runtime.guest_run import Limits, Trust
from propeller.wire.fleet.from_manager import Start


class SandboxPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a proplet."""

    #: Limits of a task that asks for none.
    limits: Limits = Limits()
    #: Grants of a task that asks for none.
    grants: Grants = Grants()
    #: The most that a task may ask for.
    offer: Offer = Offer()
    #: The first port that is tried for a component that serves HTTP and names none.
    http_port: int = 8222
    #: Of guests that send requests.
    trust: Trust = Trust()


def limits_of(
    policy: SandboxPolicy, start: Start, *, is_resident: bool, is_server: bool = False
) -> Limits | None:
    """Give the limits of a run; None where they are those of everybody.

    A resident has a timeout only if it asks for one. That of a server is the limit of each request, except in
    an external runtime, which can't bound requests.
    """
    limits, asked = policy.limits, _sandbox(start) or Sandbox()
    if is_server and asked.timeout_ns and not policy.offer.is_external:
        limits = msgspec.structs.replace(limits, request_ns=asked.timeout_ns)
        asked = msgspec.structs.replace(asked, timeout_ns=0)
    if is_resident and not asked.timeout_ns:
        limits = msgspec.structs.replace(limits, timeout_ns=0)
    elif asked == Sandbox(grants=asked.grants):
        return None
    own = asked.limits
    return msgspec.structs.replace(
        limits,
        memory_bytes=own.memory or limits.memory_bytes,
        fuel=own.fuel or limits.fuel,
        output_bytes=own.output or limits.output_bytes,
        table_elements=own.table or limits.table_elements,
        stack_bytes=own.stack or limits.stack_bytes,
        instances=own.instances or limits.instances,
        timeout_ns=asked.timeout_ns or limits.timeout_ns,
        asked=tuple(name for name in ("memory", "table") if getattr(own, name)),
    )


def grants_of(policy: SandboxPolicy, start: Start) -> Grants | None:
    """Give what a run may use of the machine; None for nothing."""
    asked = _sandbox(start)
    grants = policy.grants if asked is None or asked.grants is None else asked.grants
    return None if grants == Grants() else grants


def _sandbox(start: Start) -> Sandbox | None:
    return None if start.sandbox is UNSET else start.sandbox
