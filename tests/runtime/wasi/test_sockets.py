"""Sockets are refused, whichever WASI a component runs on: the guest gets the same error codes from both."""

import re
import time
from pathlib import Path

import pytest
import wasmtime

from propeller.core.sandbox import Grants
from propeller.runtime.component.imports import is_offered
from propeller.runtime.runner.component_program import ComponentWorld
from propeller.runtime.wasi.linking import FUNCTIONS
from propeller.runtime.wasi.session import Session
from tests.runtime.wasi.helpers import DEADLINE_S, engine, from_text, new_store

_WIT = Path(__file__).parents[3] / ".guests/wit/kinds/deps"
CODES = (
    "unknown access-denied not-supported invalid-argument out-of-memory timeout concurrency-conflict "
    "not-in-progress would-block invalid-state new-socket-limit address-not-bindable address-in-use "
    "remote-unreachable connection-refused connection-reset connection-aborted datagram-too-large "
    "name-unresolvable temporary-resolver-failure permanent-resolver-failure"
).split()
#: Methods of resources that no guest ever has.
NEVER_HAD = tuple(
    f"[method]{resource}."
    for resource in (
        "tcp-socket udp-socket incoming-datagram-stream outgoing-datagram-stream resolve-address-stream"
    ).split()
)
_ENUM = " ".join(f'"{code}"' for code in CODES)

#: Each function gives the number of an error code, or 100 for none.
GUEST = f"""(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type $network (sub resource)))
    (type $code' (enum {_ENUM})) (export "error-code" (type $code (eq $code')))
    (type $family' (enum "ipv4" "ipv6")) (export "ip-address-family" (type $family (eq $family')))))
  (alias export $network "network" (type $network))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/instance-network@0.2.0" (instance $instance
    (alias outer 1 $network (type $n')) (export "network" (type $n (eq $n')))
    (export "instance-network" (func (result (own $n))))))
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
    (alias outer 1 $network (type $n')) (export "network" (type $n (eq $n')))
    (alias outer 1 $code (type $c')) (export "error-code" (type $c (eq $c')))
    (export "resolve-address-stream" (type $stream (sub resource)))
    (export "resolve-addresses"
      (func (param "network" (borrow $n)) (param "name" string) (result (result (own $stream) (error $c)))))))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (alias export $udp "udp-socket" (type $udp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create-tcp
    (alias outer 1 $code (type $c')) (export "error-code" (type $c (eq $c')))
    (alias outer 1 $family (type $f')) (export "ip-address-family" (type $f (eq $f')))
    (alias outer 1 $tcp-socket (type $s')) (export "tcp-socket" (type $s (eq $s')))
    (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (import "wasi:sockets/udp-create-socket@0.2.0" (instance $create-udp
    (alias outer 1 $code (type $c')) (export "error-code" (type $c (eq $c')))
    (alias outer 1 $family (type $f')) (export "ip-address-family" (type $f (eq $f')))
    (alias outer 1 $udp-socket (type $s')) (export "udp-socket" (type $s (eq $s')))
    (export "create-udp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (core module $room (memory (export "memory") 1))
  (core instance $room (instantiate $room))
  (alias core export $room "memory" (core memory $memory))
  (core func $network-of (canon lower (func $instance "instance-network")))
  (core func $resolve (canon lower (func $lookup "resolve-addresses") (memory $memory)))
  (core func $tcp (canon lower (func $create-tcp "create-tcp-socket") (memory $memory)))
  (core func $udp (canon lower (func $create-udp "create-udp-socket") (memory $memory)))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "network" (func $network (result i32)))
    (import "" "resolve" (func $resolve (param i32 i32 i32 i32)))
    (import "" "tcp" (func $tcp (param i32 i32)))
    (import "" "udp" (func $udp (param i32 i32)))
    (data (i32.const 64) "localhost")
    (func $code (result i32)
      (if (result i32) (i32.load8_u (i32.const 0))
        (then (i32.load8_u (i32.const 4))) (else (i32.const 100))))
    (func (export "resolve") (result i32)
      (call $resolve (call $network) (i32.const 64) (i32.const 9) (i32.const 0)) (call $code))
    (func (export "tcp") (result i32) (call $tcp (i32.const 0) (i32.const 0)) (call $code))
    (func (export "udp") (result i32) (call $udp (i32.const 1) (i32.const 0)) (call $code)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "network" (func $network-of)) (export "resolve" (func $resolve))
    (export "tcp" (func $tcp)) (export "udp" (func $udp))))))
  (alias core export $i "resolve" (core func $f-resolve))
  (alias core export $i "tcp" (core func $f-tcp))
  (alias core export $i "udp" (core func $f-udp))
  (func (export "resolve") (result u32) (canon lift (core func $f-resolve)))
  (func (export "tcp") (result u32) (canon lift (core func $f-tcp)))
  (func (export "udp") (result u32) (canon lift (core func $f-udp))))"""


@pytest.fixture(scope="module")
def guest():
    return from_text(GUEST)


@pytest.mark.parametrize("wasi", ["the engine's", "Propeller's own"])
@pytest.mark.parametrize(
    ("function", "code"),
    [
        ("resolve", "permanent-resolver-failure"),
        ("tcp", "access-denied"),
        ("udp", "access-denied"),
    ],
)
def test_a_socket_gives_an_error_code_and_ends_nobody(guest, wasi, function, code):
    component, _, linker = guest
    store = new_store()
    if wasi == "the engine's":
        linker = ComponentWorld(engine()).linker
        store.set_wasi(wasmtime.WasiConfig())
    session = Session(deadline=time.monotonic() + DEADLINE_S, grants=Grants())
    with session.in_this_thread():
        call = linker.instantiate(store, component).get_func(store, function)
        assert call is not None
        number = call(store)
    assert CODES[number] == code


_RESOURCE = re.compile(r"resource ([a-z-]+) \{")
_FUNCTION = re.compile(r"%?([a-z-]+): (static )?func\(")


def functions_of(wit):
    """Give interface and name of each function in a WIT file; those that are not stable are left out."""
    package = re.search(r"^package ([a-z:-]+)@", wit, re.MULTILINE)[1]
    interface = resource = ""
    is_stable = True
    for line in map(str.strip, wit.splitlines()):
        if line.startswith(("interface ", "world ")):
            is_wanted = line.startswith("interface") and is_stable
            interface, resource = line.split()[1] if is_wanted else "", ""
        elif found := _RESOURCE.match(line):
            resource = found[1]
        elif line == "}" and resource:
            resource = ""
        elif (found := _FUNCTION.match(line)) and interface and is_stable:
            kind = "static" if found[2] else "method"
            yield f"{package}/{interface}", f"[{kind}]{resource}.{found[1]}" if resource else found[1]
        if line.startswith("@unstable"):
            is_stable = False
        elif line and not line.startswith("//"):
            is_stable = True


def test_every_function_that_is_offered_is_there():
    """A function that is in no table ends the guest that calls it."""
    wanted = {
        (interface, name)
        for file in _WIT.glob("*/package.wit")
        for interface, name in functions_of(file.read_text())
        if is_offered(f"{interface}@0.2.0")
        and interface not in {"wasi:cli/run", "wasi:http/incoming-handler"}
    }
    assert len(wanted) > 150
    missing = {name for interface, name in wanted if name not in FUNCTIONS.get(interface, {})}
    assert {name for name in missing if not name.startswith(NEVER_HAD)} == set()
