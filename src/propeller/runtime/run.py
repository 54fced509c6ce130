"""The values of this room: a run, how it ended, and what a guest may use at most."""

import msgspec

_MIB = 1024 * 1024


class Run(msgspec.Struct, frozen=True, array_like=True):
    """One guest to be run once."""

    #: Chosen by the pool's owner, 64 bits signed, unique among the runs that have not ended.
    key: int
    #: SHA-256 of the module, 64 hex digits; the bytes lie in ``<directory>/modules/<digest>``.
    digest: str
    #: The task's name: the function to call, or the name of the program (its ``argv[0]``).
    export: str
    #: One text a parameter for a function, arguments after ``cli_args`` for a program.
    inputs: list[str] = []
    cli_args: list[str] = []
    env: dict[str, str] = {}


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What the guest of one run used, and nothing else of its process."""

    #: Processor time, instantiation included.
    cpu_ns: int
    #: Size of the linear memory at the end, which is the most that it had: it never shrinks. Only a memory
    #: that the module exports can be seen, as WASI asks for.
    memory_bytes: int


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """How a run ended."""

    key: int
    #: A function's values, one a line; a program's standard output, unchanged. Empty after a failure.
    results: str
    #: Empty after a success, else sentences for the user.
    error: str
    #: Unix epoch, ns: the guest's own execution, with instantiation, not compilation; 0 if it never began.
    started_ns: int
    finished_ns: int
    #: Somebody asked for it to be stopped, and that is why it ended.
    stopped: bool = False
    #: None where it never began, its process died, or an external runtime ran it.
    usage: Usage | None = None


class Limits(msgspec.Struct, frozen=True):
    """What one guest may use at most. Limits are the same for all guests of a pool."""

    #: Size of the linear memory; ``memory.grow`` beyond it gives -1.
    memory_bytes: int = 512 * _MIB
    #: Elements of each table, 8 bytes each.
    table_elements: int = 1_000_000
    tables: int = 16
    #: Linear memories, each of at most ``memory_bytes``.
    memories: int = 1
    #: Standard output that is kept as the result; a program that writes more fails.
    output_bytes: int = _MIB
    #: The end of standard error that is kept for the message of a failure.
    error_bytes: int = 4096
    #: Stack of the guest; more than 2 MiB is refused by wasmtime.
    stack_bytes: int = 512 * 1024
