"""Programs that only know the contract: they drive each other, and each of them one of ours."""

import base64
import contextlib
import re
import sys
import time
import tomllib

import pytest

from tests.compat import foreign_proplet
from tests.compat.examples import BARE_START
from tests.compat.foreign_manager import ForeignManager, complaints
from tests.compat.foreign_proplet import ForeignProplet
from tests.compat.modules import ADDITION, DIVISION, ENDLESS, large
from tests.e2e.fleet.big_workflow import events
from tests.e2e.fleet.harness import PROPELLER
from tests.e2e.fleet.mischief import Listener
from tests.parts.mosquitto import open_to_all, running
from tests.registry.helpers import WASM
from tests.waiting import until

PENDING, SCHEDULED, RUNNING, COMPLETED, FAILED, SKIPPED = range(6)


def as_file(module):
    return base64.b64encode(module).decode()


def base_of(identity):
    return f"m/{identity['tenant_id']}/c/{identity['channel_id']}"


# -- foreign on both sides ---------------------------------------------------------------------------------


@pytest.fixture
def strangers(tmp_path):
    """Let a foreign manager and foreign proplets meet, and see that nobody had to complain."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(running(open_to_all(tmp_path / "broker")))
        manager = stack.enter_context(ForeignManager(broker.host, broker.port, "m/t/c/c", "manager"))

        def meet(proplet_id, habit=""):
            proplet = ForeignProplet(broker.host, broker.port, "m/t/c/c", proplet_id, habit=habit)
            stack.callback(proplet.close)
            proplet.start()
            manager.wait_for_proplet(proplet_id)
            return manager

        yield meet


def test_foreign_programs_understand_each_other(strangers):
    manager = strangers("P1")
    strangers("P2")
    manager.start("sum", "P1", file=ADDITION, inputs=["10", "20"])
    right = {"task_id": "sum", "proplet_id": "P1", "results": "30", "error": None}
    assert manager.wait_for_results("sum") == [right]
    manager.start("trap", "P2", file=DIVISION, inputs=["1", "0"])
    (failure,) = manager.wait_for_results("trap")
    assert failure["proplet_id"] == "P2"
    assert failure["results"] == ""
    assert "divide by zero" in failure["error"]
    manager.start("nothing", "P1")
    assert manager.wait_for_results("nothing")[0]["error"] == "neither file nor image_url"
    manager.start("endless", "P1", file=ENDLESS)
    manager.start("endless", "P1", file=ENDLESS)
    manager.stop("endless", "P1")
    assert manager.wait_for_results("endless")[0]["error"] == "Task was cancelled or panicked"
    manager.images["acme/large:v1"] = large(1_200_000)
    manager.start("large", "P2", image_url="acme/large:v1", inputs=["1", "2"])
    assert manager.wait_for_results("large")[0]["results"] == "3"
    manager.start("everywhere", "", file=ADDITION, inputs=["1", "1"], broadcast=True)
    assert {one["proplet_id"] for one in manager.wait_for_results("everywhere", 2)} == {"P1", "P2"}
    assert [len(manager.results(task_id)) for task_id in ("sum", "endless")] == [1, 1]
    assert manager.complaints == []


def test_a_foreign_manager_complains_of_what_the_contract_does_not_have():
    assert complaints("control/proplet/alive", {"proplet_id": "P", "status": "alive"}) == [
        "control/proplet/alive: namespace is missing"
    ]
    late = {"task_id": "t", "proplet_id": "P", "results": 3, "error": None, "more": 1}
    assert complaints("control/proplet/results", late) == ["control/proplet/results: results  is 3"]


# -- a foreign proplet, our manager ------------------------------------------------------------------------


class Foreign:
    """Starts foreign proplets as programs, with the identities of a fleet."""

    def __init__(self, fleet):
        self._fleet = fleet
        self._identities = tomllib.loads(fleet.config.read_text())

    def start(self, section, habit=""):
        one = self._identities[section]
        command = [sys.executable, foreign_proplet.__file__, "--port", str(self._fleet.port)]
        command += [f"--base={base_of(one)}", f"--id={one['entity_id']}"]
        command += [f"--key={one['api_key']}"]  # it may begin with a dash
        return self._fleet.start_other(section, [*command, "--habit", habit])


def begin(fleet, *flags):
    fleet.broker.start()
    fleet.start_manager(*flags)
    return Foreign(fleet)


def run(fleet, **fields):
    task_id = fleet.task(**fields)
    fleet.post(f"/tasks/{task_id}/start")
    return fleet.wait_for_task(task_id)


def test_foreign_proplets_run_a_workflow_of_ours(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate", "barn"])
    foreign = begin(fleet)
    foreign.start("foreign1")
    foreign.start("foreign2")
    fleet.wait_for_proplets(2)
    add, divide = as_file(ADDITION), as_file(DIVISION)
    leaves = [
        {"id": f"leaf-{n}", "name": "main", "file": add, "inputs": [n, 1], "depends_on": ["root"]}
        for n in range(20)
    ]
    tasks = [
        {"id": "root", "name": "main", "file": add, "inputs": [1, 2]},
        *leaves,
        {"id": "trap", "name": "main", "file": divide, "inputs": [1, 0], "depends_on": ["root"]},
        {"id": "after", "name": "main", "file": add, "inputs": [1, 2], "depends_on": ["trap"]},
        {"id": "rescue", "name": "main", "file": add, "inputs": [40, 2], "depends_on": ["trap"],
         "run_if": "failure"},
    ]  # fmt: skip
    workflow_id = fleet.post("/workflows", {"tasks": tasks})["tasks"][0]["workflow_id"]
    fleet.post(f"/workflows/{workflow_id}/start")
    fleet.wait_for_workflow(workflow_id)
    found = {task["id"]: task for task in fleet.get(f"/workflows/{workflow_id}")["tasks"]}
    for n in range(20):
        assert (found[f"leaf-{n}"]["state"], found[f"leaf-{n}"]["results"]) == (COMPLETED, f"{n + 1}")
    assert found["trap"]["state"] == FAILED
    assert "divide by zero" in found["trap"]["error"]
    assert found["after"]["state"] == SKIPPED
    assert (found["rescue"]["state"], found["rescue"]["results"]) == (COMPLETED, "42")
    used = {found[f"leaf-{n}"]["proplet_id"] for n in range(20)}
    assert used == {"gate", "barn"}


def test_a_large_module_reaches_a_foreign_proplet_in_chunks(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet).start("foreign1")
    task = run(fleet, file=as_file(large(1_500_000)), inputs=[20, 22])
    assert (task["state"], task["results"]) == (COMPLETED, "42")


def test_tasks_with_one_large_module_get_it_one_after_the_other(make_fleet):
    """A foreign proplet has one place for the pieces of an image, and the first who waits takes what is there."""
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet).start("foreign1")
    tasks = [{"name": "main", "file": as_file(large(1_500_000)), "inputs": [n, 1]} for n in range(4)]
    job = fleet.post("/jobs", {"tasks": tasks})
    fleet.post(f"/jobs/{job['job_id']}/start")
    ended = [fleet.wait_for_task(task["id"], seconds=30) for task in job["tasks"]]
    assert [task["results"] for task in ended] == ["1", "2", "3", "4"]


def test_a_small_device_does_not_say_who_it_is(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet).start("foreign1", "embedded")
    task = run(fleet, inputs=[20, 22])
    assert (task["state"], task["results"]) == (COMPLETED, "42")
    task = run(fleet, file=as_file(DIVISION), inputs=[1, 0])
    assert task["state"] == FAILED
    assert "divide by zero" in task["error"]


def test_small_devices_that_all_run_what_is_meant_for_one_end_each_task_once(make_fleet):
    """They look at no address, so for each task there are two results that do not say whose they are."""
    fleet = make_fleet(proplets=0, foreign=["gate", "barn"])
    fleet.drop_access_rules()
    foreign = begin(fleet)
    listener = Listener(fleet, "control/proplet/results")
    foreign.start("foreign1", "embedded")
    foreign.start("foreign2", "embedded")
    fleet.wait_for_proplets(2)
    steps = [
        {"id": f"step-{n}", "name": "main", "file": as_file(ADDITION), "inputs": [n, 1],
         "depends_on": [f"step-{n - 1}"] if n else []}
        for n in range(20)
    ]  # fmt: skip
    workflow_id = fleet.post("/workflows", {"tasks": steps})["tasks"][0]["workflow_id"]
    fleet.post(f"/workflows/{workflow_id}/start")
    fleet.wait_for_workflow(workflow_id)
    until(lambda: len(listener.heard) == 2 * len(steps))
    listener.close()
    found = {task["id"]: task for task in fleet.get(f"/workflows/{workflow_id}")["tasks"]}
    assert [found[step["id"]]["results"] for step in steps] == [f"{n + 1}" for n in range(20)]
    assert max(task.get("attempt", 1) for task in found.values()) == 1
    ends = [event["task_id"] for event in events(fleet) if event["state"] >= COMPLETED]
    assert sorted(ends) == sorted(found)


def test_a_proplet_that_never_answers_does_not_keep_a_task_running(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet, "--foreign-lease", "1s", "--losses-max", "1").start("foreign1", "deaf")
    task = run(fleet)
    assert task["state"] == FAILED
    assert "sent no result within 1 s" in task["error"]


def test_a_result_that_comes_twice_counts_once(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet).start("foreign1", "twice")
    ids = []
    for n in range(5):
        task = run(fleet, inputs=[n, 1])
        assert (task["state"], task["results"]) == (COMPLETED, f"{n + 1}")
        ids.append(task["id"])
    ends = [event["task_id"] for event in events(fleet) if event["state"] == COMPLETED]
    assert sorted(ends) == sorted(ids)


def test_what_an_offline_proplet_had_runs_elsewhere(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate", "barn"])
    foreign = begin(fleet)
    dying = foreign.start("foreign1", "deaf")
    task_ids = [fleet.task(inputs=[n, 1]) for n in range(3)]
    for task_id in task_ids:
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id, RUNNING)["proplet_id"] == fleet.ids["foreign1"]
    foreign.start("foreign2")
    fleet.wait_for_proplets(2)
    dying.kill()
    for n, task_id in enumerate(task_ids):
        task = fleet.wait_for_task(task_id)
        assert (task["state"], task["results"]) == (COMPLETED, f"{n + 1}")
        assert task["proplet_id"] == fleet.ids["foreign2"]


def test_a_stop_reaches_a_foreign_proplet(make_fleet):
    fleet = make_fleet(proplets=0, foreign=["gate"])
    begin(fleet).start("foreign1")
    task_id = fleet.task(file=as_file(ENDLESS), inputs=[])
    fleet.post(f"/tasks/{task_id}/start")
    fleet.wait_for_task(task_id, RUNNING)
    fleet.post(f"/tasks/{task_id}/stop")
    fleet.wait_for_task(task_id)
    assert run(fleet)["results"] == "3"


# -- a foreign manager, our proplet ------------------------------------------------------------------------


@pytest.fixture
def master(make_fleet):
    """A foreign manager with a proplet of ours that has introduced itself."""
    fleet = make_fleet()
    fleet.drop_access_rules()  # of the contract's topics they let our proplets use none
    # With these keys it would heed nobody else.
    config = re.sub(
        r"(?m)^(signing_key|manager_key|proxy_key|proplet_keys) .*\n", "", fleet.config.read_text()
    )
    fleet.config.write_text(config)
    fleet.broker.start()
    identity = tomllib.loads(fleet.config.read_text())["manager"]
    manager = ForeignManager(
        "127.0.0.1", fleet.port, base_of(identity), identity["entity_id"], identity["api_key"]
    )
    manager.fleet = fleet
    manager.proplet = fleet.ids["proplet"]
    with manager:
        fleet.start_proplet("proplet", PROPLET_METRICS_INTERVAL="1")
        manager.wait_for_proplet(manager.proplet)
        yield manager
    assert manager.complaints == []


def test_our_proplet_answers_a_foreign_manager(master):
    master.start("sum", master.proplet, file=ADDITION, inputs=["10", "20"])
    (result,) = master.wait_for_results("sum")
    assert (result["results"], result["error"]) == ("30\n", None)
    master.start("trap", master.proplet, file=DIVISION, inputs=["1", "0"])
    (failure,) = master.wait_for_results("trap")
    assert failure["results"] == ""
    assert "divi" in failure["error"]
    master.wait(lambda: [topic for topic, _ in master.heard if topic == "control/proplet/metrics"])


def test_our_proplet_reports_a_stop_as_an_error(master):
    master.start("endless", master.proplet, file=ENDLESS)
    master.stop("endless", "somebody-else")
    master.start("endless", master.proplet, file=ENDLESS)
    master.stop("endless", master.proplet)
    (stopped,) = master.wait_for_results("endless")
    assert stopped["results"] == ""
    assert "stopped" in stopped["error"]
    master.start("after", master.proplet, file=ADDITION, inputs=["1", "2"])
    master.wait_for_results("after")
    assert len(master.results("endless")) == 1, "the second start while it ran changed nothing"


def test_our_proplet_takes_what_it_does_not_know(master):
    more = {"inputs": ["1", "2"], "colour": "red", "nested": {"deep": [1, None]}, "state": 7, "env": None}
    master.start("odd", master.proplet, file=ADDITION, image_url=None, **more)
    assert master.wait_for_results("odd")[0]["results"] == "3\n"
    master.send("control/manager/future", {"id": "x"})
    master.send("control/manager/start", {"no": "start"})
    master.start("bare", master.proplet, file=ADDITION, inputs=["2", "2"])
    assert master.wait_for_results("bare")[0]["results"] == "4\n"


def test_our_proplet_acts_on_broadcasts_and_on_starts_to_nobody_in_particular(master):
    master.start("elsewhere", "somebody-else", file=ADDITION, inputs=["1", "2"])
    master.start("all", "somebody-else", file=ADDITION, inputs=["1", "2"], broadcast=True)
    assert master.wait_for_results("all")[0]["results"] == "3\n"
    bare = {"id": "any", "name": "main", "file": as_file(ADDITION), "inputs": ["2", "2"]}
    master.send("control/manager/start", bare)
    assert master.wait_for_results("any")[0]["results"] == "4\n"
    assert master.results("elsewhere") == []


@pytest.mark.parametrize("more", [{}, {"file": "", "image_url": ""}, {"file": None, "image_url": None}])
def test_our_proplet_says_so_when_there_is_no_module(master, more):
    began = time.monotonic()
    master.send(
        "control/manager/start", {**BARE_START, "id": "nothing", "proplet_id": master.proplet, **more}
    )
    (answer,) = master.wait_for_results("nothing")
    assert answer["results"] == ""
    assert "task nothing came without a module" in answer["error"]
    assert time.monotonic() - began >= 0.1, "before that, its manager would lose it"


def test_our_proplet_answers_no_faster_than_its_manager_can_bear(master):
    master.start("first", master.proplet, file=ADDITION, inputs=["1", "2"])
    master.wait_for_results("first")
    began = time.monotonic()
    for n in range(10):
        master.start(f"child-{n}", master.proplet, file=ADDITION, inputs=["1", "2"])
    for n in range(10):
        assert master.wait_for_results(f"child-{n}")[0]["results"] == "3\n"
    assert time.monotonic() - began >= 0.1


def test_our_proplet_runs_the_invocations_of_a_foreign_manager(master):
    master.start("stays", master.proplet, file=ADDITION, inputs=["1", "2"], latent=True)
    answer = master.invoke("stays", master.proplet, "i-1", inputs=["20", "22"])
    expected = {"task_id": "stays", "proplet_id": master.proplet, "results": "42\n", "error": None}
    assert answer | expected == answer
    assert master.invoke("stays", master.proplet, "i-2")["results"] == "3\n"
    assert "takes 2 parameters" in master.invoke("stays", master.proplet, "i-3", inputs=["1"])["error"]
    assert "precompiled" in master.invoke("none", master.proplet, "i-4")["error"]
    assert master.results("stays") == []


def test_our_proplet_runs_a_task_again_that_is_over(master):
    for count in (1, 2, 3):
        master.start("again", master.proplet, file=ADDITION, inputs=["1", str(count)])
        assert master.wait_for_results("again", count)[-1]["results"] == f"{count + 1}\n"


def test_our_proplet_gets_an_image_through_our_proxy(master, registry):
    fleet = master.fleet
    registry.push("acme/sum", "v1", (ADDITION, WASM))
    command = [*PROPELLER, "proxy", "--config", str(fleet.config), "--http-host", "127.0.0.1"]
    command += ["--http-port", "0", "--registry-plain-http", registry.host, "--allow-private-addresses"]
    proxy = fleet.start_other("proxy", [*command, "--cache-dir", str(fleet.directory / "cache")])
    until(lambda: "connected as" in proxy.said)
    master.start("image", master.proplet, image_url=f"{registry.host}/acme/sum:v1", inputs=["20", "22"])
    assert master.wait_for_results("image")[0]["results"] == "42\n"


def test_our_proplet_takes_chunks_of_a_foreign_proxy(master):
    master.images["docker.io/acme/large:v1"] = large(1_200_000)
    for task_id in ("one", "two"):
        master.start(task_id, master.proplet, image_url="docker.io/acme/large:v1", inputs=["20", "22"])
    assert [master.wait_for_results(one)[0]["results"] for one in ("one", "two")] == ["42\n", "42\n"]
