"""Checks that a guest could begin: makes its instance, and stops it before its first instruction."""

import wasmtime

from propeller.core.sandbox import Grants
from propeller.runtime.failures import CanNotBegin
from propeller.runtime.guest_run import Limits
from propeller.runtime.runner import traps
from propeller.runtime.runner.component_program import ComponentProgram
from propeller.runtime.runner.core_program import CoreProgram


def check_beginning(
    engine: wasmtime.Engine, program: CoreProgram | ComponentProgram, limits: Limits, grants: Grants | None
) -> None:
    """Check whether a guest with these limits and grants could begin.

    Raises:
        Invalid: It could not, now or later.

    """
    store = wasmtime.Store(engine)
    program.set_limits(store, limits, grants)
    # The deadline has passed already, so that no code of the guest is entered, as its start function.
    store.set_epoch_deadline(0)
    if limits.fuel:
        store.set_fuel(limits.fuel)
    try:
        program.instantiate(store, grants)
    except traps.NeverBegins as never:
        raise CanNotBegin(traps.explained(never.error, limits), never.raised_by) from never
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        pass  # it was about to begin, or may be able to the next time
    finally:
        store.close()
