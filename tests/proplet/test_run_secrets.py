"""Secrets at a proplet: opened for the attempt that they were sealed for, and masked in all that it says."""

import base64

import msgspec
import pytest
import wasmtime
from tests.proplet.helpers import a_proplet

from propeller.runtime.guest_output import TAIL_BYTES
from propeller.vault.sealing import Opener, Sealer, about_attempt
from propeller.wire.fleet.from_manager import Invoke
from propeller.wire.fleet.from_proplet import InvokeResults, Logs, Up

VALUE = "correct-horse"
#: Prints its variables to stdout, and to stderr in two pieces: the value is in both.
TELLTALE = bytes(
    wasmtime.wat2wasm("""
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  (func $say (param $fd i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $size))
    (drop (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func $tell (local $size i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 1024) (i32.const 65536)))
    (local.set $size (i32.load (i32.const 4)))
    (call $say (i32.const 1) (i32.const 65536) (local.get $size))
    (call $say (i32.const 2) (i32.const 65536) (i32.const 22))
    (call $say (i32.const 2) (i32.const 65558) (i32.sub (local.get $size) (i32.const 22))))
  (func (export "_start") (call $tell))
  (func (export "fails") (call $tell) (call $exit (i32.const 3))))
""")
)


def sealed_for(proplet, task_id="t", attempt=1, values=None):
    key = proplet.hello().metadata["sealing_key"]
    return Sealer(key).seal(values or {"KEY": VALUE}, about_attempt("p", task_id, attempt, 0))


def logs_of(proplet, stream):
    return "".join(piece.text for piece in proplet.all_messages(Logs) if piece.stream == stream)


def test_a_guest_gets_the_value_and_whatever_it_prints_of_it_is_masked(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", TELLTALE, export="_start", sealed=sealed_for(proplet), env={"LANG": "en"})
        result = proplet.result("t")
        assert result.error is None
        assert "KEY=***\0" in result.results
        assert "LANG=en\0" in result.results
        assert "KEY=***\0" in logs_of(proplet, "stderr")
        assert VALUE not in f"{result} {proplet.inbox}"
        pieces = [piece for piece in proplet.all_messages(Logs) if piece.stream == "stderr"]
        at = 0
        for piece in pieces:  # without a gap, or the manager would drop what follows
            assert piece.offset == at
            at += len(piece.text.encode())


def test_so_is_the_error_of_a_guest_that_fails(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", TELLTALE, export="fails", sealed=sealed_for(proplet))
        result = proplet.result("t")
        assert result.error
        assert VALUE not in f"{result} {proplet.inbox}"


def test_an_error_that_begins_inside_a_value_shows_nothing_of_it(tmp_path):
    """Of what a guest says last, an error has so many bytes; the first of them is the second of the value here."""
    printed = len(f"KEY={VALUE}\0PAD=\0")
    pad = "x" * (TAIL_BYTES + len("KEY=c") - printed)
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", TELLTALE, export="fails", sealed=sealed_for(proplet), env={"PAD": pad})
        error = proplet.result("t").error
        assert "***\0PAD=xxx" in error
        assert VALUE[1:] not in error


def test_an_invocation_of_a_latent_task_has_them_too(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", TELLTALE, export="_start", latent=True, sealed=sealed_for(proplet))
        proplet.wait_for(Up)
        proplet.send(Invoke(id="t", proplet_id="p", invocation_id="i"))
        answer = proplet.wait_for(InvokeResults)
        assert "KEY=***" in answer.results
        proplet.send(Invoke(id="t", proplet_id="p", invocation_id="j", env={"KEY": "instead"}))
        assert "KEY=instead" in proplet.wait_for(InvokeResults).results


def test_a_start_for_an_earlier_boot_is_handed_back(tmp_path):
    with a_proplet(tmp_path) as proplet:
        sealed = Sealer(Opener().public_key).seal({"KEY": VALUE}, about_attempt("p", "t", 1, 0))
        proplet.start("t", TELLTALE, export="_start", sealed=sealed)
        assert proplet.hand_back("t").reason == "its secrets were sealed for an earlier start of this proplet"


@pytest.mark.parametrize("fields", [{"attempt": 2}, {"box": base64.b64encode(b"x" * 40).decode()}])
def test_what_was_sealed_for_another_attempt_or_was_changed_fails_the_task(tmp_path, fields):
    with a_proplet(tmp_path) as proplet:
        sealed = sealed_for(proplet, attempt=fields.get("attempt", 1))
        if "box" in fields:
            sealed = msgspec.structs.replace(sealed, **fields)
        proplet.start("t", TELLTALE, export="_start", sealed=sealed)
        result = proplet.result("t")
        assert result.error_kind == "refused"
        assert "its secrets can't be opened" in result.error
