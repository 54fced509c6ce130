"""Workflows, jobs and tasks to be looked at, and the modules that they run."""

import base64
from typing import Any

import wasmtime

from tests.e2e.local.harness import ADDITION, System
from tests.waiting import until

COMPLETED, FAILED, INTERRUPTED, RUNNING = 3, 4, 6, 2
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
ADDITION_TEXT = """\
(module
  (func (export "main") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add))
"""


def module(text: str) -> str:
    """Compile a module; gives it as the API takes it."""
    return base64.b64encode(wasmtime.wat2wasm(text)).decode()


DIVISION = module(
    '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'
)
LOOP = module('(module (func (export "main") (loop (br 0))))')
#: `nap(ms)` waits in the host and returns 7.
NAP = module(
    """(module
      (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "nap") (param i64) (result i32)
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.mul (local.get 0) (i64.const 1000000)))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
        (i32.const 7)))"""
)


def writer(pieces: int, to: int, *, mask: int = 0x7F) -> str:
    """Make a program that writes pieces of 64 KiB, in which each byte is its place and the mask."""
    return module(
        f"""(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (func (export "_start") (local $at i32)
            (loop $fill
              (i32.store8 (i32.add (i32.const 0x10000) (local.get $at))
                (i32.and (local.get $at) (i32.const {mask})))
              (br_if $fill (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 0x10000))))
            (i32.store (i32.const 0) (i32.const 0x10000))
            (i32.store (i32.const 4) (i32.const 0x10000))
            (local.set $at (i32.const {pieces}))
            (loop $pieces
              (drop (call $write (i32.const {to}) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br_if $pieces (local.tee $at (i32.sub (local.get $at) (i32.const 1)))))))"""
    )


def says(*lines: str) -> str:
    """Make a program that writes lines to its standard error; none has a quote in it."""
    text = "".join(lines)
    data = text.replace("\n", "\\n")
    return module(
        f"""(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 64) "{data}")
          (func (export "_start")
            (i32.store (i32.const 0) (i32.const 64))
            (i32.store (i32.const 4) (i32.const {len(text)}))
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    )


def task(
    task_id: str, *inputs: int, after: list[str] | None = None, file: str = ADDITION, **more: Any
) -> Any:
    """Give a task of a workflow or job as the API takes it."""
    return {
        "id": task_id,
        "name": "main",
        "inputs": list(inputs),
        "file": file,
        "depends_on": after or [],
    } | more


def workflow(system: System, name: str, *tasks: Any, start: bool = True, **more: Any) -> str:
    """Create a workflow, and start it; gives its id."""
    made = system.call("POST", "/workflows?file=false", {"name": name, "tasks": list(tasks), **more})
    workflow_id = made["tasks"][0]["workflow_id"]
    if start:
        system.call("POST", f"/workflows/{workflow_id}/start")
    return workflow_id


def job(system: System, name: str, *tasks: Any, start: bool = True, **more: Any) -> str:
    """Create a job, and start it; gives its id."""
    for one in tasks:
        del one["depends_on"]
    made = system.call("POST", "/jobs?file=false", {"name": name, "tasks": list(tasks), **more})
    if start:
        system.call("POST", f"/jobs/{made['job_id']}/start")
    return made["job_id"]


def single(system: System, *, start: bool = True, **fields: Any) -> str:
    """Create a task of its own, and start it; gives its id."""
    task_id = system.call("POST", "/tasks?file=false", {"name": "main", **fields})["id"]
    if start:
        system.call("POST", f"/tasks/{task_id}/start")
    return task_id


def ended(system: System, path: str, state: int = COMPLETED) -> Any:
    """Wait until a task, workflow or job has a state; gives what the API says of it."""
    look = f"{path}?file=false" if path.startswith("/tasks/") else f"{path}?tasks=false"
    return until(lambda: (found := system.call("GET", look))["state"] == state and found)
