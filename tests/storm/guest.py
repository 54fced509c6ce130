"""The guest of a storm: it adds, and leaves marks of its own in a directory, which tell how often it ran and when."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import wasmtime

#: ``add(a, b, ms, key)`` marks its begin, sleeps for so many milliseconds, marks its end, and adds.
#: Its directory is the second of its own where it has parents, whose results are in the first (error 8: there is none).
#: A mark is a byte at the end of the file ``b`` or ``e`` with the key, and the file ``B`` or ``E``, which the first makes.
_TEXT = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 300) "+")
  (data (i32.const 312) "\\2c\\01\\00\\00\\01\\00\\00\\00")
  (func $name (param $letter i32) (param $key i32)
    (local $at i32)
    (i32.store8 (i32.const 256) (local.get $letter))
    (local.set $at (i32.const 264))
    (loop $digits
      (i32.store8 (local.get $at) (i32.add (i32.const 97) (i32.and (local.get $key) (i32.const 15))))
      (local.set $key (i32.shr_u (local.get $key) (i32.const 4)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digits (i32.gt_u (local.get $at) (i32.const 256)))))
  (func $make (param $oflags i32) (param $fdflags i32) (result i32)
    (local $error i32)
    (local.set $error (call $open (i32.const 4) (i32.const 0) (i32.const 256) (i32.const 9) (local.get $oflags)
      (i64.const 64) (i64.const 0) (local.get $fdflags) (i32.const 320)))
    (if (i32.ne (local.get $error) (i32.const 8)) (then (return (local.get $error))))
    (call $open (i32.const 3) (i32.const 0) (i32.const 256) (i32.const 9) (local.get $oflags)
      (i64.const 64) (i64.const 0) (local.get $fdflags) (i32.const 320)))
  (func $mark (param $each i32) (param $first i32) (param $key i32)
    (call $name (local.get $each) (local.get $key))
    (if (call $make (i32.const 1) (i32.const 1)) (then unreachable))
    (if (call $write (i32.load (i32.const 320)) (i32.const 312) (i32.const 1) (i32.const 324)) (then unreachable))
    (drop (call $close (i32.load (i32.const 320))))
    (call $name (local.get $first) (local.get $key))
    (if (i32.eqz (call $make (i32.const 5) (i32.const 0)))
      (then (drop (call $close (i32.load (i32.const 320)))))))
  (func (export "add") (param $a i32) (param $b i32) (param $ms i64) (param $key i32) (result i32)
    (call $mark (i32.const 98) (i32.const 66) (local.get $key))
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.mul (local.get $ms) (i64.const 1000000)))
    (if (i64.ne (local.get $ms) (i64.const 0))
      (then (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
    (call $mark (i32.const 101) (i32.const 69) (local.get $key))
    (i32.add (local.get $a) (local.get $b))))"""
ADD = base64.b64encode(wasmtime.wat2wasm(_TEXT)).decode()


class Marks(NamedTuple):
    """What the runs of one task left behind."""

    begun: int
    ended: int
    #: When the first run began and the first one ended, ns by the file system's clock; 0 for never.
    first_begin: int
    first_end: int


def marks(directory: Path, key: int) -> Marks:
    name = "".join(chr(ord("a") + (key >> shift & 15)) for shift in range(28, -1, -4))

    def of(letter: str) -> tuple[int, int]:
        path = directory / f"{letter}{name}"
        return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (0, 0)

    return Marks(of("b")[0], of("e")[0], of("B")[1], of("E")[1])


def complaint(own: Marks, parents: Iterable[Marks], attempts: int) -> str:
    """Say what is wrong with the marks of a task that completed at its ``attempts``-th attempt; ``""`` if nothing is."""
    if not own.ended:
        return "is recorded as completed, and never ran to its end"
    if own.begun > attempts:
        return f"ran {own.begun} times in {attempts} attempts"
    if any(not parent.first_end or parent.first_end > own.first_begin for parent in parents):
        return "began before one that it depends on had ended"
    return ""
