"""Which runtime a proplet's guests run in: the embedded one, or a program that its owner has named."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from propeller.core.sandbox import Limits, Offer
from propeller.proplet.agent import Agent
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.runtime.external.runtime import ExternalRuntime
from propeller.runtime.pool.pool import Pool


def guests_of(
    program: str | None, directory: Path, *, size: int, policy: SandboxPolicy, agent: Agent
) -> Pool | ExternalRuntime:
    """Make what runs guests for an agent; ``program`` as ``find_program`` gives it."""
    runtime: Callable[..., Pool | ExternalRuntime]
    runtime = Pool
    if program is not None:
        runtime = partial(ExternalRuntime, program, allowed_dirs=policy.offer.dirs)
    agent.guests = guests = runtime(
        directory,
        size=size,
        limits=policy.limits,
        on_ended=agent.guests_ended,
        on_printed=agent.guests_printed,
        on_up=agent.guests_up,
    )
    return guests


def offer_of(program: str | None, policy: SandboxPolicy) -> Offer:
    """Say what tasks may ask for at most: of a program only what needs nothing of it can be held."""
    if program is None:
        return policy.offer
    return msgspec.structs.replace(
        policy.offer,
        dirs=(),
        http=(),
        listen=False,
        limits=Limits(output=policy.offer.limits.output),
        is_external=True,
    )
