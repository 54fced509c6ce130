"""Messages of the manager that are larger than the broker takes."""

import base64
import hashlib

import pytest

from propeller.core.events import RunEnded
from propeller.core.failures import ErrorKind, Failure
from propeller.manager.oversize import Oversize
from propeller.mqtt.link import TooLarge
from propeller.wire.fleet.codec import encode
from propeller.wire.fleet.from_manager import Ack, Invoke, Start
from propeller.wire.fleet.messages import topic_of
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest

WHY = "has 200,000 bytes, and the broker takes 131,072 at most; raise its limit"


class Told:
    """The manager, its invocations, and all ways to proplets at once: keeps what each is told."""

    def __init__(self):
        self.said = []
        self.invocations = self

    def __getattr__(self, name):
        return lambda *told: self.said.append((name, *told))


@pytest.fixture
def told():
    return Told()


def take(told, message, *, own="p"):
    oversize = Oversize(
        told,
        send_again=told.send_again,
        send_foreign=told.send_foreign,
        give_up_foreign=told.give_up_foreign,
        answer=told.answer,
    )
    topic = f"proplet/{own}/{topic_of(message)}" if own else topic_of(message)
    oversize.take(TooLarge(topic, encode(message), WHY))
    return told.said


def failure(task_id, attempt):
    error = (
        f"the task's start message {WHY}, or make its inputs, its env or the results of its parents smaller"
    )
    return (
        "tell",
        RunEnded(proplet_id="p", task_id=task_id, attempt=attempt, failure=Failure(error, ErrorKind.INPUTS)),
    )


def test_a_task_whose_start_is_too_large_fails(told):
    said = take(told, Start(id="t", name="main", proplet_id="p", attempt=3, module="sha256:x"))
    assert said[-1] == failure("t", 3)


def test_the_task_of_a_foreign_proplet_fails_under_its_own_id_and_ends_its_turn(told):
    said = take(told, Start(id="t~2", name="main", proplet_id="p", image_url="acme/x"), own="")
    assert said == [("give_up_foreign", "t~2"), failure("t", 2)]


def test_a_module_that_went_with_a_start_goes_in_pieces(told):
    start = Start(id="t", name="main", proplet_id="p", file=base64.b64encode(b"wasm").decode())
    ((what, sent),) = take(told, start, own="")
    assert (what, sent.file) == ("send_foreign", Start(id="t", name="main").file)
    assert sent.image_url == f"propeller.local/modules@sha256:{hashlib.sha256(b'wasm').hexdigest()}"


def test_an_invocation_that_is_too_large_is_answered(told):
    said = take(told, Invoke(id="t", invocation_id="i", proplet_id="p"))
    assert said == [("refused", "i", f"the invocation's message {WHY}, or make its inputs and env smaller")]


def test_many_acknowledgements_go_in_two_messages(told):
    ended = [(f"t{n}", 1) for n in range(5)]
    said = take(told, Ack(ended=ended))
    assert said == [("send_again", "p", Ack(ended=ended[:2])), ("send_again", "p", Ack(ended=ended[2:]))]
    said.clear()
    assert take(told, Ack(ended=ended[:1])) == []


def test_who_waits_for_a_piece_of_a_module_gets_a_smaller_one(told):
    chunk = ModuleChunk(app_name="sha256:x", chunk_idx=5, total_chunks=9, data="")
    request = ModuleRequest(app_name="sha256:x", proplet_id="p", first=0, count=1)
    assert take(told, chunk) == [("answer", request)]
