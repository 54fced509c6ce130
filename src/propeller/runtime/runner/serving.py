"""A component that serves HTTP in this process, until it is stopped."""

import time
from collections.abc import Callable

import wasmtime

from propeller.errors import Invalid
from propeller.runtime import failures
from propeller.runtime.address import ALL, Address, address_asked_for
from propeller.runtime.guest_run import Ended, GuestRun, Limits, environment
from propeller.runtime.runner.beginning import check_beginning
from propeller.runtime.runner.cache import Cache, Program
from propeller.runtime.runner.component_program import ComponentProgram
from propeller.runtime.runner.guest import Workspace, directories
from propeller.runtime.wasi.server import HttpServer, listening, ticks

#: How many ports after the first are tried, where the task names none.
_OTHER_PORTS = 99


def serve(
    cache: Cache,
    program: Program,
    run: GuestRun,
    limits: Limits,
    workspace: Workspace,
    *,
    on_up: Callable[[str], None],
    on_stop: Callable[[Callable[[], None]], None],
    on_traffic: Callable[[int, int], None],
) -> Ended:
    """Serve until stopped.

    Args:
        cache: The cache of the program.
        program: The run's module.
        run: The run, with its port.
        limits: The limits of the guest for each request.
        workspace: The streams and the directory of this process.
        on_up: Told once it serves, and at which port.
        on_stop: Given a function that ends it, from any thread.
        on_traffic: Told the number of requests, and of those that failed.

    Raises:
        Invalid: It can't be served here.

    """
    if not isinstance(program, ComponentProgram):
        raise Invalid("only a component that exports wasi:http/incoming-handler can serve HTTP")
    assert run.grants is not None
    assert run.grants.listen
    check_beginning(cache.engine, program, limits, run.grants)
    asked, _ = address_asked_for(run.cli_args)
    address = asked or Address(ALL, run.port)
    try:
        end = listening(address, others=0 if asked else _OTHER_PORTS)
    except OSError as error:
        raise Invalid(f"port {address.port} can't be listened on: {error.strerror}") from error
    started_ns = time.time_ns()

    def new_store() -> wasmtime.Store:
        store = wasmtime.Store(cache.engine)
        program.set_limits(store, limits)
        store.set_epoch_deadline(ticks(limits.request_ns / 1e9))
        if cache.is_metered:
            store.set_fuel(limits.fuel)
        return store

    workspace.streams.begin(run.key, limits, is_result=False)
    server = HttpServer(
        program.handler(new_store),
        cache.engine,
        env=environment(run),
        grants=run.grants,
        trust=run.trust,
        # They stay open: this process serves until it ends.
        dirs=directories(run, program, workspace),
        on_stdout=workspace.streams.print_out,
        on_stderr=workspace.streams.print_err,
        request_s=limits.request_ns / 1e9,
        on_traffic=lambda traffic: on_traffic(traffic.requests, traffic.errors),
    )
    on_stop(server.stop)
    server.run(end, lambda: on_up(f"started at port {end.getsockname()[1]}"))
    workspace.streams.end()
    return Ended(run.key, "", failures.STOPPED, started_ns, time.time_ns(), stopped=True)
