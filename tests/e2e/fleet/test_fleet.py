"""A fleet on one machine: separate programs, a broker with passwords and access rules between them."""

import base64

import wasmtime

from tests.builders import padded
from tests.e2e.fleet.big_workflow import BigWorkflow
from tests.e2e.fleet.harness import PROPELLER
from tests.e2e.fleet.mischief import Listener
from tests.parts.ports import free_port
from tests.waiting import until

#: A program that writes 900,000 zero bytes, each of which takes six characters in JSON.
SHOUTER = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 16)
  (data (i32.const 0) "\\00\\01\\00\\00\\a0\\bb\\0d\\00")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))
"""


def test_a_workflow_runs_on_all_proplets(make_fleet):
    fleet = make_fleet(proplets=3)
    fleet.begin()
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)
    used = {task.get("proplet_id") for task in fleet.get(f"/workflows/{workflow_id}")["tasks"]}
    assert used - {None} == {fleet.ids[section] for section in fleet.sections}


def test_a_task_waits_for_a_proplet_and_says_so(make_fleet):
    fleet = make_fleet()
    fleet.broker.start()
    fleet.start_manager()
    task_id = fleet.task()
    fleet.post(f"/tasks/{task_id}/start")
    task = fleet.get(f"/tasks/{task_id}")
    assert (task["state"], task["reason"]) == (1, "waits for a proplet: none is alive")
    fleet.start_proplet("proplet")
    assert fleet.wait_for_task(task_id)["results"] == "3\n"


def test_a_manager_begins_before_its_broker_and_a_proplet_before_both(make_fleet):
    fleet = make_fleet()
    fleet.start_proplet("proplet")
    fleet.start_manager()
    task_id = fleet.task()
    fleet.post(f"/tasks/{task_id}/start")
    fleet.broker.start()
    assert fleet.wait_for_task(task_id)["results"] == "3\n"


def test_who_has_another_password_is_told_and_ends(make_fleet):
    fleet = make_fleet()
    fleet.broker.start()
    proplet = fleet.start_proplet("proplet", PROPLET_API_KEY="wrong")
    assert proplet.process.wait(30) == 1
    assert "check entity_id and api_key" in proplet.said


def test_a_proplet_in_service_gets_nothing_new(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.begin()
    one, other = (fleet.ids[section] for section in fleet.sections)
    assert fleet.post(f"/proplets/{one}/cordon")["cordoned"] is True
    for _ in range(6):
        task_id = fleet.task()
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id)["proplet_id"] == other
    assert "cordoned" not in fleet.post(f"/proplets/{one}/uncordon")


def test_a_task_goes_where_its_tags_are(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.broker.start()
    fleet.start_manager()
    fleet.start_proplet("proplet1", PROPLET_TAGS="edge")
    fleet.start_proplet("proplet2", PROPLET_TAGS="edge,gpu")
    fleet.wait_for_proplets(2)
    for _ in range(4):
        task_id = fleet.task(required_tags=["gpu"])
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id)["proplet_id"] == fleet.ids["proplet2"]


def test_a_broadcast_runs_everywhere_and_each_outcome_is_kept(make_fleet):
    fleet = make_fleet(proplets=3)
    fleet.begin()
    task_id = fleet.task(broadcast=True)
    fleet.post(f"/tasks/{task_id}/start")
    ids = sorted(fleet.ids[section] for section in fleet.sections)
    assert fleet.wait_for_task(task_id)["results"] == dict.fromkeys(ids, "3\n")
    shown = fleet.get(f"/tasks/{task_id}/executions")
    assert [(one["proplet_id"], one["state"], one["results"]) for one in shown["executions"]] == [
        (proplet_id, 3, "3\n") for proplet_id in ids
    ]


def test_what_stays_everywhere_is_there_again_after_a_restart(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.begin("--liveness", "3s")
    task_id = fleet.task(broadcast=True, latent=True)

    def states():
        shown = fleet.get(f"/tasks/{task_id}/executions")["executions"]
        return {one["proplet_id"]: (one["state"], one["attempt"]) for one in shown}

    def asked():
        for number in range(4):
            fleet.post(f"/tasks/{task_id}/invoke", {"inputs": [str(number), "1"]})
        return {one["proplet_id"] for one in fleet.get(f"/tasks/{task_id}/invocations")["invocations"][:4]}

    fleet.post(f"/tasks/{task_id}/start")
    until(lambda: fleet.get(f"/tasks/{task_id}").get("up"))
    stays, goes = fleet.ids["proplet1"], fleet.ids["proplet2"]
    fleet.proplets["proplet2"].kill()
    until(lambda: states()[goes][0] == 1)
    assert asked() == {stays}
    fleet.proplets["proplet2"].start()
    until(lambda: states() == {stays: (2, 1), goes: (2, 2)})
    until(lambda: asked() == {stays, goes})


def test_what_proplets_measure_arrives(make_fleet):
    fleet = make_fleet()
    fleet.begin(proplet_env={"PROPLET_METRICS_INTERVAL": "1"})
    page = until(lambda: (found := fleet.get(f"/proplets/{fleet.ids['proplet']}/metrics"))["total"] and found)
    assert page["metrics"][0]["memory_metrics"]["rss_bytes"] > 1_000_000


def test_modules_of_any_size_reach_one_proplet_and_nobody_else_hears_of_it(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.drop_access_rules()
    fleet.begin()
    listeners = [Listener(fleet, topic) for topic in ("control/manager/start", "registry/server")]
    module = base64.b64encode(padded(5_000_000)).decode()
    task_id = fleet.task(file=module, env={"SECRET": "of the task"}, proplet_id=fleet.ids["proplet1"])
    fleet.post(f"/tasks/{task_id}/start")
    assert fleet.wait_for_task(task_id)["results"] == "3\n"
    for listener in listeners:
        assert listener.heard == []
        listener.close()


def test_what_is_too_large_for_a_message_fails_with_a_reason(make_fleet):
    fleet = make_fleet()
    fleet.begin()
    large_start = fleet.task(env={"LARGE": "x" * 2_000_000})
    fleet.post(f"/tasks/{large_start}/start")
    task = fleet.wait_for_task(large_start)
    assert (task["state"], "start message has 2," in task["error"]) == (4, True)
    large_result = fleet.task(
        name="_start", file=base64.b64encode(wasmtime.wat2wasm(SHOUTER)).decode(), inputs=[]
    )
    fleet.post(f"/tasks/{large_result}/start")
    task = fleet.wait_for_task(large_result)
    assert (task["state"], "MANAGER_MQTT_MAX_PACKET_SIZE" in task["error"]) == (4, True)


def test_up_with_a_broker_has_proplets_elsewhere_too(make_fleet):
    fleet = make_fleet()
    fleet.broker.start()
    port = str(free_port())
    command = [*PROPELLER, "up", "--host", "127.0.0.1", "--port", port, "--config", str(fleet.config)]
    command += ["--data-dir", str(fleet.directory / "up"), "--mqtt", f"tcp://127.0.0.1:{fleet.port}"]
    fleet.start_other("up", command)
    fleet.ask_at(port)
    until(fleet.is_answered)
    fleet.start_proplet("proplet")
    fleet.wait_for_proplets(2)
    for proplet in fleet.get("/proplets")["proplets"]:
        task_id = fleet.task(proplet_id=proplet["id"])
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id)["results"] == "3\n"
