"""Requests that come in, answered by a real component in this thread."""

import json
import threading
import time
from typing import Any

import pytest

from propeller.errors import Invalid
from propeller.runtime.wasi.incoming import GuestFault, Handler
from propeller.runtime.wasi.server import Ticker, ticks
from propeller.runtime.wasi.session import Session
from tests.runtime.wasi.helpers import (
    DEADLINE_S,
    Answer,
    ask,
    engine,
    from_text,
    handler,
    new_store,
    request,
)


def test_a_guest_answers():
    answer = ask("/")
    assert (answer.status, answer.body, answer.is_complete) == (200, b"Hello from Wasm\n", True)
    assert ("content-type", b"text/plain") in answer.headers


def test_each_request_has_a_fresh_guest():
    one = handler()
    for _ in range(3):
        session, answer = Session(deadline=time.monotonic() + DEADLINE_S), Answer()
        one.handle(session, request(session, "/"), answer)
        assert answer.status == 200


def test_method_path_query_and_headers_reach_the_guest():
    answer = ask("/headers", headers=(("X-Own", b"a"), ("x-own", b"b"), ("Accept", b"text/plain")))
    seen = json.loads(answer.body)
    assert seen == {"x-own": "a, b", "accept": "text/plain"}
    assert ask("/nowhere").status == 404


def test_a_large_body_comes_back_as_it_was():
    data = bytes(range(256)) * 4096
    answer = ask("/echo", data, method="POST")
    assert (answer.status, answer.body == data, answer.is_complete) == (201, True, True)


def test_the_guest_sees_its_environment_and_nothing_else():
    session = Session(env={"COLOUR": "blue", "ÄÖ": "ü"}, deadline=time.monotonic() + DEADLINE_S)
    assert json.loads(ask("/env", session=session).body) == {"COLOUR": "blue", "ÄÖ": "ü"}


def test_what_the_guest_prints_is_handed_over():
    printed: list[bytes] = []
    session = Session(on_stdout=printed.append, deadline=time.monotonic() + DEADLINE_S)
    ask("/print?text=hello", session=session)
    assert b"hello" in b"".join(printed)


def test_the_answer_begins_before_the_request_has_ended():
    session, answer = Session(deadline=time.monotonic() + DEADLINE_S), Answer()
    coming = request(session, "/parts", None, method="POST")

    def more(chunk: bytes) -> None:
        if chunk == b"ready\n":  # only now does the client say something
            coming.stream.put(b"the rest")
            coming.stream.close()

    answer.on_write = more
    handler().handle(session, coming, answer)
    assert (answer.body, answer.is_complete) == (b"ready\nthe rest", True)


def test_a_guest_that_does_not_finish_its_answer_has_not_completed_it():
    session, answer = Session(deadline=time.monotonic() + DEADLINE_S), Answer()
    with pytest.raises(GuestFault, match="complete"):
        handler("http_server_py").handle(session, request(session, "/half"), answer)
    assert (answer.status, answer.is_complete) == (200, False)
    assert answer.body.startswith(b"Hello from Python")


@pytest.mark.parametrize(("path", "why"), [("/nothing", "without a response"), ("/trap", "unreachable")])
def test_a_guest_that_does_not_answer(path, why):
    session, answer = Session(deadline=time.monotonic() + DEADLINE_S), Answer()
    with pytest.raises(GuestFault, match=why):
        handler("http_server_py").handle(session, request(session, path), answer)
    assert answer.status == 0


def test_a_guest_that_computes_ends_at_its_deadline():
    session, answer = Session(), Answer()
    ticker = Ticker(engine(), 0.05)
    with ticker, pytest.raises(GuestFault, match="interrupt"):
        handler(seconds=0.05).handle(session, request(session, "/loop"), answer)
    ticker.close()
    assert answer.status == 0


class WatchedSession(Session):
    def __init__(self) -> None:
        super().__init__()
        self.is_used = threading.Event()

    def get(self, number: int, kind: type) -> Any:
        self.is_used.set()
        return super().get(number, kind)


class GuestBeside:
    """A guest that has begun to answer a request, in a thread of its own."""

    def __init__(self, target: str, seconds: float = DEADLINE_S) -> None:
        self.session = WatchedSession()
        self._fault = ""
        self._thread = threading.Thread(target=self._answer, args=(target, seconds), daemon=True)
        self._thread.start()
        assert self.session.is_used.wait(DEADLINE_S), "the guest has not looked at its request"

    def _answer(self, target: str, seconds: float) -> None:
        try:
            handler(seconds=seconds).handle(self.session, request(self.session, target), Answer())
        except GuestFault as fault:
            self._fault = str(fault)

    def fault(self) -> str:
        """Wait for the end of the guest, and give its fault; ``""`` for none."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the guest goes on"
        return self._fault


def test_the_deadlines_of_long_requests_are_run_through_at_once():
    day_s = 24 * 3600
    assert ticks(0.05) < ticks(30) == ticks(day_s) < 3100
    ticker, guest = Ticker(engine(), day_s), GuestBeside("/loop", day_s)
    ticker.run_out()
    assert "interrupt" in guest.fault()
    ticker.close()


def test_a_guest_that_blocks_is_woken_by_a_cancel():
    guest = GuestBeside("/slow?ms=3600000")
    guest.session.cancel()
    assert "ended" in guest.fault()


def test_a_guest_that_blocks_ends_at_its_deadline():
    session = Session(deadline=time.monotonic() + 0.05)
    with pytest.raises(GuestFault, match="ended"):
        handler().handle(session, request(session, "/slow?ms=3600000"), Answer())


def test_a_guest_waits_for_a_body_no_longer_than_it_may():
    session = Session(deadline=time.monotonic() + 0.05)
    answer = Answer()
    with pytest.raises(GuestFault, match="ended"):
        handler().handle(session, request(session, "/echo", None, method="POST"), answer)
    assert not answer.is_complete


def test_guests_answer_at_the_same_time():
    answers: dict[int, bytes] = {}

    def one(number: int) -> None:
        for _ in range(20):
            answers[number] = ask("/echo", str(number).encode(), method="POST").body

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number).encode() for number in range(8)}


def test_a_guest_in_another_language_with_another_version_of_wasi_answers():
    session, answer = Session(deadline=time.monotonic() + DEADLINE_S), Answer()
    handler("http_server_py").handle(session, request(session, "/a?b"), answer)
    assert (answer.status, answer.is_complete) == (200, True)
    assert answer.body == b"Hello from Python, you asked for /a?b\n"


def test_a_handler_of_another_type_is_refused():
    odd = from_text("""(component
      (core module $m (func (export "handle") (param i32)))
      (core instance $i (instantiate $m))
      (func $handle (param "request" u32) (canon lift (core func $i "handle")))
      (instance $handler (export "handle" (func $handle)))
      (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))""")
    with pytest.raises(Invalid, match=r"has no handle: func\(request: own<incoming-request>, response-out: "):
        Handler(*odd, new_store)
