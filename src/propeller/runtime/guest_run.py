"""The values of this room: a run, how it ended, what it printed, and what a guest may use at most."""

from typing import Literal

import msgspec

from propeller.core.failures import Failure
from propeller.core.sandbox import Dir, Grants

_MIB = 1024 * 1024
#: A guest that serves may finish for so long what it is at when it is stopped.
SERVER_GRACE_S = 6.0
#: Of a program's environment: what its parents gave.
PARENTS_VARIABLE = "PROPELLER_PARENT_RESULTS"


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """What one guest may use at most. A run without limits of its own has those of its pool."""

    #: Size of the linear memory; ``memory.grow`` beyond it gives -1.
    memory_bytes: int = 512 * _MIB
    #: Elements of each table, 8 bytes each.
    table_elements: int = 1_000_000
    tables: int = 100
    #: Linear memories, each of at most ``memory_bytes``; a component has one for each module in it.
    memories: int = 16
    #: Core instances in a component.
    instances: int = 100
    #: Standard output that is kept as the result; a program that writes more fails.
    output_bytes: int = _MIB
    #: What is kept of each stream that is not the result; what comes after that is dropped.
    log_bytes: int = _MIB
    #: Stack of the guest; more than 2 MiB is refused by wasmtime.
    stack_bytes: int = 512 * 1024
    #: How long it may run, ns; 0 for ever.
    timeout_ns: int = 0
    #: Units of computing, about one an instruction; 0 means that nobody counts.
    fuel: int = 0
    #: How long a component may take for one HTTP request that it serves, ns.
    request_ns: int = 30_000_000_000
    #: Size of each file that it writes.
    file_bytes: int = 1024 * _MIB
    #: How long compiling a module may take, ns.
    compile_ns: int = 60_000_000_000
    #: What a runner may have besides the guest's own memory: for the compiler above all.
    host_bytes: int = 2048 * _MIB
    #: Which of ``memory`` and ``table`` the task itself set.
    asked: tuple[str, ...] = ()


class GuestRun(msgspec.Struct, frozen=True, array_like=True):
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
    #: None for the pool's.
    limits: Limits | None = None
    grants: Grants | None = None
    #: Results of the parents by task, as JSON; a program finds it in a file as well.
    parents: str = ""
    #: It may go on for ever, and gets a process of its own beside those of the pool.
    is_resident: bool = False
    #: Only compile it.
    is_preparation: bool = False
    #: The port on which it serves HTTP, or the first that is tried where ``finds_port``; 0 where it does not.
    port: int = 0
    finds_port: bool = False
    #: Where the directories of its grants have to lie: those that the owner of the proplet allows.
    allowed_dirs: tuple[Dir, ...] = ()


def environment(run: GuestRun) -> dict[str, str]:
    """Give the variables of a program: those of the task, and what its parents returned."""
    return {**run.env, PARENTS_VARIABLE: run.parents} if run.parents else run.env


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What the guest of one run used, and nothing else of its process."""

    #: Processor time, instantiation included.
    cpu_ns: int
    #: Size of the linear memory at the end, which is the most that it had: it never shrinks. A component's
    #: is told within a megabyte or so; of a core module only a memory that it exports can be seen, as WASI
    #: asks for.
    memory_bytes: int
    #: Units of computing, where somebody counted.
    fuel: int = 0


Stream = Literal["stdout", "stderr"]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Something that a guest printed and that is not its result; they come in the order of printing."""

    key: int
    stream: Stream
    data: bytes
    #: Unix epoch, ns.
    at: int
    #: With this the stream has reached its limit, and the rest is dropped.
    is_cut: bool = False


class Up(msgspec.Struct, frozen=True, array_like=True):
    """A guest that serves is ready to."""

    key: int
    #: Where, such as ``started at port 8222``.
    results: str


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """How a run ended."""

    key: int
    #: A function's values, one a line; a program's standard output, unchanged. Empty after a failure.
    results: str
    #: None after a success.
    failure: Failure | None
    #: Unix epoch, ns: the guest's own execution, with instantiation, not compilation; 0 if it never began.
    started_ns: int
    finished_ns: int
    #: Somebody asked for it to be stopped, and that is why it ended.
    stopped: bool = False
    #: None where it never began, its process died, or an external runtime ran it.
    usage: Usage | None = None
    #: It could not be begun, and could not be the next time either.
    is_refused: bool = False
    #: It was lost with its process, or for want of one, through no fault of its own that anybody can see.
    is_lost: bool = False

    @property
    def error(self) -> str:
        return self.failure.error if self.failure else ""
