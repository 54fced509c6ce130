"""Records for tests: short to write, and records in which no field is left at its default."""

import base64
import hashlib
from typing import Any

import msgspec

from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleOptions, ScheduleState
from propeller.core.causes import Cause, CauseKind
from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import (
    Defaults,
    Definition,
    Execution,
    FromParent,
    Group,
    GroupKind,
    GroupTiming,
    JobMode,
    Module,
    Proplet,
    Spec,
    SubWorkflow,
    Task,
    Timing,
)
from propeller.core.ran import Ran
from propeller.core.reasons import AttemptLost
from propeller.core.retry import Retry
from propeller.core.sandbox import Dir, Grants, Limits, Sandbox
from propeller.core.states import COMPLETED, SCHEDULED, TaskState
from propeller.core.timers import TimerOf

#: ``main(i32, i32) -> i32`` adds.
ADDITION = base64.b64decode("AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL")

#: ``sleep(i64)``: for so many nanoseconds.
SLEEP = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "sleep") (param $ns i64) (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (local.get $ns))
    (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"""

#: What belongs to a running manager and is not stored, and executions, which are stored by themselves.
DERIVED = {
    Task: {
        "before",
        "parents",
        "children",
        "unmet",
        "executions",
        "live_executions",
        "told_start",
        "told_end",
    },
    Group: {"tasks", "first_count", "last_count", "places"},
    Proplet: {"slots", "window", "placed", "repeats", "residents", "seen", "is_alive"},
}
RAN = Ran(
    digest="0f" * 32, runtime="wasmtime 50", version="1", signer="ann", grants=Grants(listen=True), revision=2
)
SANDBOX = Sandbox(
    grants=Grants(dirs=(Dir(host="/h", guest="/g", mode="rw"),), http=("a.example",), listen=True, random=7),
    limits=Limits(memory=1, fuel=2, output=3, table=4, stack=5, instances=6),
    timeout_ns=7,
)
RETRY = Retry(
    max_attempts=2, delay_ns=3, backoff=4.5, max_delay_ns=6, jitter=0.7, on=(ErrorKind.LOST, ErrorKind.LIMIT)
)
TEXT = 'a "quoted" text, ü, \u2028, \x00, \\'
_PLAIN: dict[type, Any] = {str: TEXT, int: 2**62 + 7, bool: True, float: 1.5}
OPTIONS = ScheduleOptions(
    catch_up=CatchUp.ALL, overlap=Overlap.QUEUE, jitter_ns=2**62, start=2**61, end=2**62 + 1
)
SCHEDULE = Schedule(text=TEXT, timezone="Europe/Paris", is_recurring=True, options=OPTIONS)
COURSE = ScheduleState(
    next_run=2**62,
    due_at=2**62 + 1,
    last_run=2**61,
    waiting=[1, 2**62],
    runs=["a", TEXT],
    is_paused=True,
    is_over=True,
    done_until=2**60,
    last_start=2**59,
    error=TEXT,
)


def module_of(data: bytes) -> Module:
    return Module(hashlib.sha256(data).hexdigest(), len(data))


def padded(size_bytes: int) -> bytes:
    """The addition with a custom section behind it that makes it this much larger."""
    content = b"\x03pad" + b"\x00" * size_bytes
    length, head = len(content), bytearray()
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return ADDITION + bytes([0, *head, length]) + content


def a_spec(task_id: str = "t", **fields: Any) -> Spec:
    return Spec(**{"id": task_id, "name": "main", **fields})


def a_task(seq: int, **fields: Any) -> Task:
    """Make the task ``t<seq>``; fields of its ``Spec`` may be given as well."""
    own = {field.name for field in msgspec.structs.fields(Task)}
    spec = {name: fields.pop(name) for name in list(fields) if name not in own}
    return Task(**{"seq": seq, "created_at": seq, "spec": a_spec(**{"task_id": f"t{seq}", **spec}), **fields})


def a_group(group_id: str, kind: GroupKind = GroupKind.WORKFLOW, seq: int = 1, **fields: Any) -> Group:
    """Make a group; ``of`` names the states of its tasks."""
    counts = [0] * 8
    for state in fields.pop("of", [COMPLETED]):
        counts[state] += 1
    return Group(**{"id": group_id, "kind": kind, "seq": seq, "created_at": seq, "counts": counts, **fields})


def a_move(task_id: str, state: TaskState = TaskState.RUNNING, **fields: Any) -> Transition:
    return Transition(**{"task_id": task_id, "name": "main", "state": state, "at": 1, **fields})


def filled(kind: type, /, **fixed: Any) -> Any:
    """Make a record in which every stored field differs from its default, whatever fields there are."""
    for field in msgspec.structs.fields(kind):
        if field.name in fixed or field.name in DERIVED.get(kind, ()):
            continue
        for plain, value in _PLAIN.items():
            if field.type is plain:
                fixed[field.name] = value
                break
        else:
            raise AssertionError(f"say what {kind.__name__}.{field.name} is to be: {field.type}")
        assert fixed[field.name] != field.default
    return kind(**fixed)


def filled_spec(**fixed: Any) -> Spec:
    given = {
        "module": Module("ab", 3),
        "cli_args": ("-x", "ü", ""),
        "stdin": TEXT,
        "inputs": (1, 2.5, "text", 2**63 - 1, -(2**63), FromParent("p")),
        "env": {"A": "b", "": ""},
        "depends_on": ("p",),
        "copied_before": ("b", TEXT),
        "required_tags": ("gpu", "edge"),
        "sandbox": SANDBOX,
        "job_id": "",
        "monitoring_profile": {"interval": 3},
        "metadata": {"deep": {"er": [1, None]}, "": False},
        "hal_storage_path": "",
        "workflow_id": "g",
        "retry": RETRY,
        "schedule_options": SCHEDULE.options,
        "workflow": filled(
            SubWorkflow, specs=(a_spec("i", env={"A": TEXT}),), definition=Definition(max_parallel=3)
        ),
    }
    found: Spec = filled(Spec, **{**given, **fixed})
    return found


def filled_task(**fixed: Any) -> Task:
    given = {"spec": filled_spec(), "state": SCHEDULED, "results": {"any": ["json", 1.5, None, TEXT]}}
    given |= {"failure": Failure(TEXT, ErrorKind.EXIT_CODE, 2**32 - 1), "reason": AttemptLost(2, TEXT, 1, 3)}
    given |= {"timing": filled(Timing, schedule=COURSE), "ran": RAN}
    found: Task = filled(Task, **{**given, **fixed})
    return found


def filled_group(**fixed: Any) -> Group:
    given = {"id": "g", "kind": GroupKind.JOB, "mode": JobMode.SEQUENTIAL, "counts": [1, 0, 1, 2, 0, 5, 0, 1]}
    given |= {
        "definition": filled(
            Definition,
            labels={"team": TEXT, "": ""},
            defaults=filled(Defaults, retry=RETRY),
            schedule=SCHEDULE,
        ),
        "timing": filled(GroupTiming, schedule=COURSE),
    }
    found: Group = filled(Group, **{**given, **fixed})
    return found


def filled_proplet(**fixed: Any) -> Proplet:
    found: Proplet = filled(Proplet, **{"metadata": {"os": "linux", "tags": ["a"]}, **fixed})
    return found


def filled_execution(**fixed: Any) -> Execution:
    given = {"state": TaskState.FAILED, "results": ["any", {"json": 1.5}]}
    given |= {"failure": Failure(TEXT, ErrorKind.EXIT_CODE, 3), "ran": RAN}
    found: Execution = filled(Execution, **{**given, **fixed})
    return found


def filled_move() -> Transition:
    found: Transition = filled(
        Transition,
        state=TaskState.FAILED,
        results=["any", {"json": 1.5}],
        error_kind=ErrorKind.LOST,
        cause=Cause(CauseKind.TIMER, TEXT, TEXT, TimerOf.RETRY),
    )
    return found


def stored(record: Any) -> dict[str, Any]:
    """The fields of a record that a store keeps."""
    return {
        field.name: getattr(record, field.name)
        for field in msgspec.structs.fields(record)
        if field.name not in DERIVED.get(type(record), ())
    }
