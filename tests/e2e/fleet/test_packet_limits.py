"""A broker that takes smaller messages than ours may be: what can be cut is, and the rest fails with words."""

import base64
import re
import sys

import pytest
import wasmtime

from tests.builders import padded
from tests.compat import foreign_proplet
from tests.e2e.fleet.harness import PROPELLER
from tests.registry.helpers import WASM

COMPLETED, FAILED = 3, 4
LIMIT = 131_072
#: Mosquitto announces the first, and only shows the second by what it does.
LIMITS = [f"max_packet_size {LIMIT}", f"message_size_limit {LIMIT}"]
LARGE = base64.b64encode(padded(700_000)).decode()

#: Writes zero bytes, each of which takes six characters in JSON, to the stream that it is told of.
WRITER = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 16)
  (func $say (param $stream i32) (param $bytes i32)
    (i32.store (i32.const 0) (i32.const 256))
    (i32.store (i32.const 4) (local.get $bytes))
    (drop (call $write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 16))))
  (func (export "_start") (call $say (i32.const STREAM) (i32.const BYTES))))
"""


def writer(stream: int, size_bytes: int) -> str:
    text = WRITER.replace("STREAM", str(stream)).replace("BYTES", str(size_bytes))
    return base64.b64encode(wasmtime.wat2wasm(text)).decode()


def limited(fleet, line: str):
    with (fleet.directory / "mosquitto.conf").open("a") as config:
        config.write(f"{line}\n")
    return fleet


def run(fleet, **fields):
    task_id = fleet.task(**fields)
    fleet.post(f"/tasks/{task_id}/start")
    return fleet.wait_for_task(task_id)


def has_both_numbers(text: str, most: int = 2_000_000) -> bool:
    """Say whether a failure tells how large the message was, and what the limit is or was found to be."""
    found = re.search(
        r"message has ([\d,]+) bytes, and the broker (?:takes|has refused one of) ([\d,]+)", text
    )
    assert found, text
    size, limit = (int(number.replace(",", "")) for number in found.groups())
    return LIMIT < size < most and LIMIT <= limit <= size


@pytest.mark.parametrize("line", LIMITS)
def test_what_is_too_large_for_the_broker_ends_and_the_rest_goes_on(make_fleet, line):
    fleet = limited(make_fleet(), line)
    fleet.begin()
    task = run(fleet, env={"LARGE": "x" * 200_000})
    assert (task["state"], has_both_numbers(task["error"])) == (FAILED, True)
    assert "raise its limit" in task["error"]
    task = run(fleet, file=LARGE)
    assert (task["state"], task["results"]) == (COMPLETED, "3\n")
    task = run(fleet, name="_start", file=writer(1, 100_000), inputs=[])
    assert (task["state"], has_both_numbers(task["error"])) == (FAILED, True)
    assert run(fleet)["results"] == "3\n", "nothing stands behind a result that can't be sent"
    task = run(fleet, name="_start", file=writer(2, 60_000), inputs=[])
    assert task["state"] == COMPLETED
    assert fleet.http.get(f"/tasks/{task['id']}/logs").text.count(r"\u0000") == 60_000
    latent = fleet.task(latent=True)
    fleet.post(f"/tasks/{latent}/start")
    fleet.wait_for_task(latent, 2)
    answer = fleet.call("POST", f"/tasks/{latent}/invoke", {"inputs": ["1" * 200_000, "2"]}, status=413)
    assert has_both_numbers(str(answer))


def test_a_large_result_that_waited_for_its_manager_ends_as_well(make_fleet):
    """It is in the outbox when the connection is made, after which the broker says what it takes."""
    fleet = make_fleet()
    fleet.begin()
    task_id = fleet.task(name="_start", file=writer(1, 100_000), inputs=[])
    held = run_while_the_broker_is_away(fleet, task_id)
    assert (held["state"], has_both_numbers(held["error"])) == (FAILED, True)
    assert run(fleet)["results"] == "3\n"


def run_while_the_broker_is_away(fleet, task_id):
    slow = base64.b64encode(wasmtime.wat2wasm(SLOW_WRITER)).decode()
    fleet.call("PUT", f"/tasks/{task_id}", {"name": "_start", "file": slow})
    fleet.post(f"/tasks/{task_id}/start")
    fleet.wait_for_task(task_id, 2)
    fleet.broker.stop()
    limited(fleet, LIMITS[1])
    fleet.broker.start()
    return fleet.wait_for_task(task_id)


#: Writes its result after two seconds of sleep.
SLOW_WRITER = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 16)
  (func (export "_start")
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 2000000000))
    (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192)))
    (i32.store (i32.const 0) (i32.const 256))
    (i32.store (i32.const 4) (i32.const 100000))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))
"""


@pytest.mark.parametrize("line", LIMITS)
def test_pieces_for_a_foreign_proplet_fit_the_broker(make_fleet, line):
    fleet = limited(make_fleet(proplets=0, foreign=["gate"]), line)
    fleet.broker.start()
    fleet.start_manager()
    one = fleet.section("foreign1")
    command = [sys.executable, foreign_proplet.__file__, "--port", str(fleet.port)]
    command += [f"--base=m/{one['tenant_id']}/c/{one['channel_id']}", f"--id={one['entity_id']}"]
    fleet.start_other("foreign", [*command, f"--key={one['api_key']}"])
    fleet.wait_for_proplets(1)
    task = run(fleet, file=LARGE)
    assert (task["state"], task["results"]) == (COMPLETED, "3")
    task = run(fleet, env={"LARGE": "x" * 200_000})
    assert (task["state"], has_both_numbers(task["error"])) == (FAILED, True)


@pytest.mark.parametrize("line", LIMITS)
def test_pieces_of_images_fit_the_broker(make_fleet, registry, line):
    registry.push("limits/large", "v1", (padded(700_000), WASM))
    fleet = limited(make_fleet(), line)
    fleet.begin()
    command = [*PROPELLER, "proxy", "--config", str(fleet.config), "--http-port", "0"]
    fleet.start_other("proxy", command, PROXY_REGISTRY_PLAIN_HTTP=registry.host)
    task = fleet.post(
        "/tasks", {"name": "main", "image_url": f"{registry.host}/limits/large:v1", "inputs": [1, 2]}
    )
    fleet.post(f"/tasks/{task['id']}/start")
    assert fleet.wait_for_task(task["id"])["results"] == "3\n"
