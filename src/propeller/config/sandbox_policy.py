"""The sandbox policy that follows from a proplet's settings."""

from collections.abc import Iterable
from pathlib import Path

from propeller.config.directories import check_directories
from propeller.config.sources import Effective
from propeller.core.sandbox import Dir, Grants, Limits, Offer
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.runtime.guest_run import Limits as GuestLimits
from propeller.runtime.guest_run import Trust

#: The most that a guest may ask for, for limits that have no setting.
_OUTPUT_BYTES_MAX = 64 * 2**20
_TABLE_ELEMENTS_MAX = 10_000_000
_STACK_BYTES_MAX = 2 * 2**20
_INSTANCES_MAX = 1_000


def sandbox_policy_of(effective: Effective, data: Iterable[Path]) -> SandboxPolicy:
    """Make the sandbox policy from a proplet's settings.

    Args:
        effective: Settings of a proplet.
        data: The data directories of Propeller's programs on this machine.

    Raises:
        BadSettings: Guests would get files of Propeller itself.

    """
    check_directories(effective, data)
    given = effective.values
    shared = tuple(Dir(host=path, guest=path, mode="rw") for path in given["dirs"] or ())
    memory_max = given["task_memory_max"]
    if effective.sources["task_memory_max"] == "default":
        memory_max = max(memory_max, given["task_memory"])
    timeout_s, timeout_max_s = given["task_timeout"], given["task_timeout_max"]
    limits = GuestLimits(
        memory_bytes=min(given["task_memory"], memory_max),
        output_bytes=given["task_output"],
        timeout_ns=int((min(timeout_s or timeout_max_s, timeout_max_s) or timeout_s) * 1e9),
        compile_ns=int(given["compile_timeout"] * 1e9),
    )
    return SandboxPolicy(
        limits=limits,
        grants=Grants(dirs=shared, listen=given["http_enabled"]),
        offer=Offer(
            dirs=(*shared, *(given["allow_dirs"] or ())),
            http=given["allow_http"] or (),
            listen=given["http_enabled"],
            limits=Limits(
                memory=memory_max,
                output=max(given["task_output"], _OUTPUT_BYTES_MAX),
                table=_TABLE_ELEMENTS_MAX,
                stack=_STACK_BYTES_MAX,
                instances=_INSTANCES_MAX,
            ),
            timeout_ns=int(timeout_max_s * 1e9),
        ),
        http_port=given["http_proxy_port"],
        trust=Trust(str(given["http_tls_ca_cert"] or ""), given["http_tls_insecure_skip_verify"]),
    )
