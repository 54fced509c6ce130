"""The contract's own examples: ours reads each of them, and writes them as they stand there."""

import base64
import json

import pytest

from propeller.core.effects import SendInvoke, SendStart, SendStop
from propeller.core.events import PropletOffline, PropletSeen, RunEnded
from propeller.core.model import Module, Spec
from propeller.wire.fleet.codec import decode, encode
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_proplet import Alive, Create, InvokeResults, Results
from propeller.wire.fleet.metrics import time_of
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest
from propeller.wire.fleet.outgoing import invoke_message, start_message, stop_message
from tests.compat.examples import BARE_START, FROM_MANAGER, FROM_PROPLETS, FROM_REGISTRY, SHORTER, body_of
from tests.compat.foreign_manager import complaints

EVERYTHING = [*FROM_PROPLETS.values(), *SHORTER.values(), *FROM_MANAGER.items(), *FROM_REGISTRY.items()]
NOW = 1_800_000_000_000_000_000


def read(name):
    topic, text = {**FROM_PROPLETS, **SHORTER}[name]
    return decode(topic, text.encode())


def fact(name):
    return fact_of(read(name), is_local=False)


def without_nulls(value):
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}


def deepened(value):
    """Add a key that nobody knows to every object."""
    if isinstance(value, dict):
        return {**{key: deepened(inner) for key, inner in value.items()}, "from_the_future": {"a": [1, None]}}
    return [deepened(inner) for inner in value] if isinstance(value, list) else value


# -- what ours reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("topic", "text"), EVERYTHING)
def test_each_example_is_read(topic, text):
    again = json.loads(encode(decode(topic, text.encode())))
    assert again == {**again, **without_nulls(body_of(text))}


@pytest.mark.parametrize(("topic", "text"), [one for one in EVERYTHING if "env" not in one[1]])
def test_keys_that_nobody_knows_change_nothing(topic, text):
    more = body_of(text) | {"from_the_future": None}
    assert decode(topic, json.dumps(more).encode()) == decode(topic, text.encode())
    if topic not in ("control/proplet/create", "control/proplet/results"):  # there, any JSON is kept
        assert decode(topic, json.dumps(deepened(body_of(text))).encode()) == decode(topic, text.encode())


def test_keys_of_a_start_may_be_null_or_left_out():
    topic = "control/manager/start"
    optional = ("cli_args", "file", "image_url", "inputs")
    start = decode(topic, json.dumps(BARE_START | dict.fromkeys(optional)).encode())
    assert not any((start.cli_args, start.file, start.image_url, start.inputs))
    assert decode(topic, b'{"id":"task-001","name":"main","proplet_id":"P1"}') == decode(
        topic, json.dumps(BARE_START).encode()
    )


def test_what_the_examples_mean():
    created = fact("create")
    assert isinstance(created, PropletSeen)
    assert (created.proplet_id, created.is_hello, created.boot) == ("P1", True, 0)
    assert created.metadata["tags"] == ["edge"]
    assert isinstance(fact("alive"), PropletSeen)
    assert fact("will") == PropletOffline("P1")
    assert fact("result") == RunEnded(proplet_id="P1", task_id="task-001", attempt=0, results="30\n")
    failure = fact("failure")
    assert (failure.results, failure.failure.error) == (None, "Failed to compile module")
    assert (fact("result of a device").proplet_id, fact("result of a device").results) == ("", "30")
    assert fact("failure of a device").failure.error == "no memory"
    update = fact("federated update")
    assert (update.proplet_id, update.results["round_id"]) == ("P1", "r1")
    assert read("task metrics without history").aggregated is None


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ({"secs_since_epoch": 1777885811, "nanos_since_epoch": 123456789}, 1777885811_123456789),
        ("2026-05-04T09:10:11.123456789Z", 1777885811_123456789),
        (93001, NOW),
        (None, NOW),
    ],
)
@pytest.mark.parametrize("name", ["metrics", "task metrics"])
def test_all_forms_of_a_time(name, timestamp, at):
    topic, text = FROM_PROPLETS[name]
    message = decode(topic, json.dumps(body_of(text) | {"timestamp": timestamp}).encode())
    assert time_of(message.timestamp, NOW) == at
    without = {key: value for key, value in body_of(text).items() if key != "timestamp"}
    assert time_of(decode(topic, json.dumps(without).encode()).timestamp, NOW) == NOW


# -- what ours writes --------------------------------------------------------------------------------------


def test_a_start_for_a_foreign_proplet_is_the_contract_s():
    example = body_of(FROM_MANAGER["control/manager/start"])
    file = base64.b64decode(example["file"])
    spec = Spec(
        id="task-001",
        name="main",
        image_url=example["image_url"],
        module=Module("ab", len(file)),
        inputs=(10, "20"),
        cli_args=("--invoke", "main"),
        env={"K": "V"},
        kbs_resource_path="default/key/k1",
        monitoring_profile=example["monitoring_profile"],
        hal_storage_path="/var/hal/t1",
    )
    effect = SendStart(
        proplet_id="P1",
        spec=spec,
        inputs=spec.inputs or (),
        attempt=1,
        placed_at=4,
        parent_results={"task-000": "30\n"},
        is_native=False,
    )
    written = json.loads(encode(start_message(effect, file)))
    assert written == example
    assert list(written) == list(example), "in the contract's order as well"


def test_a_start_leaves_out_what_the_contract_leaves_out():
    spec = Spec(id="task-001", name="main", env={}, inputs=(), monitoring_profile={})
    effect = SendStart(
        proplet_id="P1",
        spec=spec,
        inputs=spec.inputs or (),
        attempt=1,
        placed_at=4,
        parent_results={},
        is_native=False,
    )
    assert json.loads(encode(start_message(effect))) == BARE_START


def test_a_broadcast_goes_to_one_foreign_proplet_at_a_time():
    spec = Spec(id="task-001", name="main", broadcast=True)
    effect = SendStart(
        proplet_id="P1",
        spec=spec,
        inputs=spec.inputs or (),
        attempt=1,
        placed_at=4,
        parent_results={},
        is_native=False,
    )
    assert json.loads(encode(start_message(effect))) == BARE_START


def test_a_stop_for_a_foreign_proplet_is_the_contract_s():
    stop = stop_message(SendStop("P1", "task-001", 1, is_native=False))
    assert encode(stop).decode() == FROM_MANAGER["control/manager/stop"]


def test_an_invocation_for_a_foreign_proplet_is_the_contract_s():
    effect = SendInvoke(
        proplet_id="P1",
        task_id="task-9",
        attempt=1,
        invocation_id="5f3c",
        inputs=['"world"'],
        env={"GREETING": "hola"},
        timeout_ns=30_000_000_000,
        is_native=False,
    )
    assert encode(invoke_message(effect)).decode() == FROM_MANAGER["control/manager/invoke"]


@pytest.mark.parametrize(
    ("message", "example"),
    [
        (Create(proplet_id="P1", metadata={}, boot=1, slots=2, running=[]), "create"),
        (Alive(proplet_id="P1", boot=1, slots=2, running=[("t", 1)]), "alive"),
        (Results(task_id="t", proplet_id="P1", results="30\n"), "result"),
        (InvokeResults(task_id="t", invocation_id="i", results="30\n"), "result of an invocation"),
        (ModuleRequest(app_name="x", proplet_id="P1", first=0), "request for an image"),
    ],
)
def test_ours_writes_at_least_the_keys_of_the_contract_and_those_first(message, example):
    written = list(json.loads(encode(message)))
    expected = list(body_of(FROM_PROPLETS[example][1]))
    assert written[: len(expected)] == expected


def test_a_chunk_is_the_contract_s():
    (text,) = FROM_REGISTRY.values()
    chunk = ModuleChunk(app_name="docker.io/acme/sum:v1", chunk_idx=0, total_chunks=4, data="AGFzbQEAAAA=")
    assert encode(chunk).decode() == text


@pytest.mark.parametrize("name", FROM_PROPLETS)
def test_the_foreign_manager_has_no_complaint_of_the_contract(name):
    topic, text = FROM_PROPLETS[name]
    body = body_of(text)
    assert complaints(topic, body) == []
    for key in body:
        if (topic, key) != ("control/proplet/metrics", "namespace"):
            less = {other: value for other, value in body.items() if other != key}
            assert complaints(topic, less) == [f"{topic}: {key} is missing"]
