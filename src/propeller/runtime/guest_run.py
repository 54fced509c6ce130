"""The values that the runtime takes and gives: a guest's run, its limits, its output, its end."""

from typing import Any, Literal

import msgspec

from propeller.core.failures import Failure
from propeller.core.sandbox import Dir, Grants

_MIB = 1024 * 1024
#: A module up to this size is to be compiled within ``Limits.compile_ns``.
COMPILED_BYTES = 16 * _MIB
#: How long a server may go on with its requests after it was stopped.
SERVER_GRACE_S = 6.0
#: The variable of a program's environment with its parents' results.
PARENTS_VARIABLE = "PROPELLER_PARENT_RESULTS"


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """The limits of one guest. A run without its own has those of its pool."""

    #: Size of the linear memory; ``memory.grow`` beyond it gives -1.
    memory_bytes: int = 512 * _MIB
    #: Elements of each table; 8 bytes each.
    table_elements: int = 1_000_000
    tables: int = 100
    #: Linear memories, each of at most ``memory_bytes``; a component has one for each module in it.
    memories: int = 16
    #: Core instances in a component.
    instances: int = 100
    #: Standard output that is kept as the result; a program that writes more fails.
    output_bytes: int = _MIB
    #: Bytes that are kept of each stream that is not the result; the rest is dropped.
    log_bytes: int = _MIB
    #: Stack of the guest; more than 2 MiB is refused by wasmtime.
    stack_bytes: int = 512 * 1024
    #: How long it may run, ns; 0 for no limit.
    timeout_ns: int = 0
    #: Units of fuel, about one for each instruction; 0 for no limit, and then they are not counted.
    fuel: int = 0
    #: How long a component may take for one HTTP request that it serves, and for what it sends meanwhile, ns.
    request_ns: int = 30_000_000_000
    #: Size of each file that it writes.
    file_bytes: int = 1024 * _MIB
    #: How long compiling a module may take, ns; one above ``COMPILED_BYTES`` may take as much longer as it is
    #: larger (``compile_ns_of``).
    compile_ns: int = 60_000_000_000
    #: Memory of a runner besides the guest's, mostly for the compiler.
    host_bytes: int = 2048 * _MIB
    #: The limits that the task itself set, of ``memory`` and ``table``.
    asked: tuple[str, ...] = ()


class Trust(msgspec.Struct, frozen=True, array_like=True):
    """The certificates of other servers that guests accept, besides those of the system."""

    #: Path of a file in PEM form; empty for none.
    ca_cert: str = ""
    #: Whether any certificate will do.
    is_blind: bool = False


def compile_ns_of(limits: Limits, size_bytes: int) -> int:
    """Tell how long compiling a module of this size may take, ns: it takes about 1.5 s for each MiB."""
    return max(limits.compile_ns, limits.compile_ns * size_bytes // COMPILED_BYTES)


class GuestRun(msgspec.Struct, frozen=True, array_like=True):
    """One run of a guest."""

    #: Chosen by the caller: 64 bits, signed, unique among the runs that have not ended.
    key: int
    #: SHA-256 of the module, 64 hex digits; the bytes lie in ``<directory>/modules/<digest>``.
    digest: str
    #: The task's name: the function to call, or the name of the program (its ``argv[0]``).
    export: str
    #: For a function one text for each parameter, for a program arguments after ``cli_args``.
    inputs: list[str] = []
    cli_args: list[str] = []
    env: dict[str, str] = {}
    #: None for those of the pool.
    limits: Limits | None = None
    grants: Grants | None = None
    #: The parents' results by task, as JSON; a program finds them in a file too.
    parents: str = ""
    #: Whether it may go on for ever, in a process of its own beside those of the pool.
    is_resident: bool = False
    #: Whether it is only compiled.
    is_preparation: bool = False
    #: The first port that is tried for a server of HTTP whose ``cli_args`` name none; 0 for no server.
    port: int = 0
    #: The directories that the owner of the proplet allows; those of its grants have to be below them.
    allowed_dirs: tuple[Dir, ...] = ()
    #: Standard input; None for an empty one.
    stdin: bytes | None = None
    trust: Trust = Trust()


def means_program(name: str) -> bool:
    """Say whether a task of this name runs a program's entry, if no export has the name.

    Tasks of federated learning are named after their round (contract: runtime.md, 3).
    """
    return name in ("", "_start") or name.startswith("fl-round-")


def environment(run: GuestRun) -> dict[str, str]:
    """Give the variables of a program: those of the task, and its parents' results."""
    return {**run.env, PARENTS_VARIABLE: run.parents} if run.parents else run.env


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """The resources that the guest of one run used, without those of its process."""

    #: Processor time, instantiation included.
    cpu_ns: int
    #: Bytes of linear memory at the end, which is its maximum: memory never shrinks. A component's is known
    #: to a megabyte or so; a core module's only if it exports its memory, as WASI demands.
    memory_bytes: int
    #: Units of fuel, where they were counted.
    fuel: int = 0


Stream = Literal["stdout", "stderr"]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a guest's logs; pieces come in the order in which they were printed."""

    key: int
    stream: Stream
    data: bytes
    #: Unix epoch, ns.
    at: int
    #: Whether the stream reaches its limit with this piece, and its rest is dropped.
    is_cut: bool = False


class Up(msgspec.Struct, frozen=True, array_like=True):
    """A resident run that has begun, or a server that is ready."""

    key: int
    #: The address, such as ``started at port 8222``; empty where it serves none.
    results: str


class Compiling(msgspec.Struct, frozen=True, array_like=True):
    """A run that waits until its module, which is large, is compiled, or that waits for this no longer."""

    key: int
    #: Of the module; 0 once it is compiled.
    size_bytes: int


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """The end of a run."""

    key: int
    #: A function's values, one a line; a program's standard output, unchanged: text, or bytes where it is no
    #: UTF-8. Empty after a failure.
    results: Any
    #: None after a success.
    failure: Failure | None
    #: Unix epoch, ns: the guest's execution with its instantiation, without compilation; 0 if it never began.
    started_ns: int
    finished_ns: int
    #: Whether it ended because it was stopped.
    stopped: bool = False
    #: None where it never began, its process died, or an external runtime ran it.
    usage: Usage | None = None
    #: Whether it can't begin, now or later.
    is_refused: bool = False
    #: Whether it was lost with its process, or for want of one, through no visible fault of its own.
    is_lost: bool = False

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""
