"""The runtime of a proplet's guests: the embedded one, or a program that its owner has named."""

from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

import msgspec

from propeller.core.sandbox import Limits, Offer
from propeller.lifecycle import Lifecycle
from propeller.proplet.metrics import Processes
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.runtime.external.runtime import ExternalRuntime, version_of
from propeller.runtime.guest_run import Compiling, Ended, GuestRun, Piece, Up
from propeller.runtime.pool.pool import Pool


class GuestListener(Protocol):
    """Is told what becomes of guests, in batches, from the event loop's thread."""

    def guests_ended(self, batch: list[Ended]) -> None: ...

    def guests_up(self, batch: list[Up]) -> None: ...

    def guests_compiling(self, batch: list[Compiling]) -> None: ...

    def guests_printed(self, pieces: list[Piece]) -> None: ...


class Guests(Lifecycle, Processes, Protocol):
    """Runs guests: the pool, or an external runtime."""

    def submit(self, runs: list[GuestRun]) -> None: ...

    def stop_run(self, key: int) -> None: ...

    def withdraw(self, older_than_s: float) -> list[int]: ...

    @property
    def waiting(self) -> int: ...


MakeGuests = Callable[[GuestListener], Guests]


def make_guests(
    listener: GuestListener, *, program: str | None, directory: Path, size: int, policy: SandboxPolicy
) -> Guests:
    """Make what runs guests.

    Args:
        listener: Is told what becomes of them.
        program: The external runtime, as ``find_program`` gives it; None for the embedded one.
        directory: Holds ``modules`` and what is compiled from them.
        size: How many run at once.
        policy: The limits of a guest whose task asks for none.

    """
    runtime: Callable[..., Guests]
    runtime = partial(Pool, on_compiling=listener.guests_compiling)
    if program is not None:
        runtime = partial(ExternalRuntime, program, allowed_dirs=policy.offer.dirs)
    return runtime(
        directory,
        size=size,
        limits=policy.limits,
        on_ended=listener.guests_ended,
        on_printed=listener.guests_printed,
        on_up=listener.guests_up,
    )


def runtime_of(program: str | None) -> str:
    """Name what runs guests, with its version."""
    return f"wasmtime {metadata.version('wasmtime')}" if program is None else version_of(program)


def offer_of(program: str | None, policy: SandboxPolicy) -> Offer:
    """Say what tasks may ask for at most: an external program is held to nothing that needs its help."""
    offer = msgspec.structs.replace(policy.offer, checks_signatures=True)
    if program is None:
        return offer
    return msgspec.structs.replace(
        offer,
        dirs=(),
        http=(),
        listen=False,
        limits=Limits(output=policy.offer.limits.output),
        is_external=True,
    )
