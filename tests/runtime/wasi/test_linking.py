"""Functions of WASI as a component calls them, and the values that pass between the two."""

import gc
import time

import pytest
import wasmtime

from propeller.core.sandbox import Grants
from propeller.runtime.component.variants import Ok
from propeller.runtime.wasi.linking import FUNCTIONS
from propeller.runtime.wasi.session import Cancelled, Session
from tests.runtime.wasi.helpers import DEADLINE_S, from_text, new_store

#: ``poll`` makes so many timers that are over at once, and gives how many of them are ready; ``hold`` makes
#: timers for ever; ``call-unknown`` calls what no host has.
POLLS = """(component
  (import "wasi:io/poll@0.2.77" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (alias export $poll "poll" (func $poll_of))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $q))
    (export "pollable" (type $r (eq $q)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $r))))))
  (alias export $clock "subscribe-duration" (func $after_of))
  (import "wasi:cli/future-things@0.2.9" (instance $unknown (export "surprise" (func))))
  (alias export $unknown "surprise" (func $unknown_of))
  (core module $room
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 3)))))
  (core instance $room (instantiate $room))
  (alias core export $room "memory" (core memory $memory))
  (alias core export $room "realloc" (core func $realloc))
  (core func $poll_in (canon lower (func $poll_of) (memory $memory) (realloc $realloc)))
  (core func $after (canon lower (func $after_of)))
  (core func $unknown_in (canon lower (func $unknown_of)))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "poll" (func $poll (param i32 i32 i32)))
    (import "" "after" (func $after (param i64) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "unknown" (func $unknown))
    (func (export "poll") (param $count i32) (result i32) (local $i i32)
      (loop $more
        (i32.store (i32.mul (local.get $i) (i32.const 4)) (call $after (i64.const 0)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (local.get $count))))
      (call $poll (i32.const 0) (local.get $count) (i32.const 1024))
      (loop $more
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (call $drop (i32.load (i32.mul (local.get $i) (i32.const 4))))
        (br_if $more (local.get $i)))
      (i32.load (i32.const 1028)))
    (func (export "hold") (loop $more (drop (call $after (i64.const 0))) (br $more)))
    (func (export "sleep") (i32.store (i32.const 0) (call $after (i64.const -1)))
      (call $poll (i32.const 0) (i32.const 1) (i32.const 1024)))
    (func (export "nothing") (call $poll (i32.const 0) (i32.const 0) (i32.const 1024)))
    (func (export "unknown") (call $unknown)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "poll" (func $poll_in)) (export "after" (func $after))
    (export "drop" (func $drop)) (export "unknown" (func $unknown_in))))))
  (alias core export $i "poll" (core func $f_poll))
  (alias core export $i "hold" (core func $f_hold))
  (alias core export $i "sleep" (core func $f_sleep))
  (alias core export $i "nothing" (core func $f_nothing))
  (alias core export $i "unknown" (core func $f_unknown))
  (func (export "poll") (param "count" u32) (result u32) (canon lift (core func $f_poll)))
  (func (export "hold") (canon lift (core func $f_hold)))
  (func (export "sleep") (canon lift (core func $f_sleep)))
  (func (export "nothing") (canon lift (core func $f_nothing)))
  (func (export "call-unknown") (canon lift (core func $f_unknown))))"""


@pytest.fixture(scope="module")
def polls():
    made = from_text(POLLS)
    yield made
    del made
    gc.collect()  # the engine lets go of our functions, and so do we


def call(made, name: str, *arguments: int, session: Session | None = None):
    session = session or Session(deadline=time.monotonic() + DEADLINE_S)
    component, _, linker = made
    store = new_store()
    with session.in_this_thread():
        try:
            function = linker.instantiate(store, component).get_func(store, name)
            assert function is not None
            return function(store, *arguments)
        except wasmtime.WasmtimeError as error:
            raise (session.failure or error) from None
        finally:
            store.close()


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_a_guest_polls_for_many_things_at_once(polls, count):
    assert call(polls, "poll", count) == count


def test_a_guest_can_not_hold_more_than_so_many_things(polls):
    with pytest.raises(Cancelled, match="more than 10000 resources"):
        call(polls, "hold")


def test_a_guest_that_polls_for_nothing_is_ended(polls):
    with pytest.raises(ValueError, match="nothing to wait for"):
        call(polls, "nothing")


def test_a_guest_that_sleeps_for_ever_ends_at_its_deadline(polls):
    with pytest.raises(Cancelled):
        call(polls, "sleep", session=Session(deadline=time.monotonic() + 0.05))


def test_what_nobody_offers_ends_only_those_who_call_it(polls):
    with pytest.raises(wasmtime.WasmtimeError):
        call(polls, "call-unknown")
    assert call(polls, "poll", 1) == 1


def test_a_seed_gives_the_same_randomness_each_time():
    take = FUNCTIONS["wasi:random/random"]["get-random-bytes"]
    seeded = [take(Session(grants=Grants(random=7)), 16) for _ in range(2)]
    assert seeded[0] == seeded[1] != take(Session(), 16)


def test_a_guest_without_randomness_is_refused_it():
    with pytest.raises(PermissionError, match=r"grants\.random"):
        FUNCTIONS["wasi:random/random"]["get-random-u64"](Session(grants=Grants(random=False)))


def test_a_guest_without_a_clock_finds_it_standing():
    now = FUNCTIONS["wasi:clocks/wall-clock"]["now"]
    assert now(Session(grants=Grants(clock=False))) == {"seconds": 0, "nanoseconds": 0}
    assert now(Session())["seconds"] > 1_000_000_000


def test_without_a_grant_there_are_no_directories():
    assert FUNCTIONS["wasi:filesystem/preopens"]["get-directories"](Session()) == []


def test_a_result_in_a_result_keeps_its_side():
    session = Session()
    trailers = FUNCTIONS["wasi:http/types"]["[method]future-trailers.get"](session, 1)
    assert trailers == Ok(Ok(None))
