"""What must not be lost: a workflow of 300 tasks over 3 proplets, while something goes wrong.

Each time every task ends once, in order, with the right result.
"""

import pytest

from tests.e2e.fleet.big_workflow import MODULE, BigWorkflow, events
from tests.e2e.fleet.mischief import Listener
from tests.parts.netns import Island
from tests.waiting import until

LIVENESS = ("--liveness", "3s")


def half_way(fleet, workflow_id):
    until(lambda: fleet.ended_tasks(workflow_id) >= 80)
    assert fleet.ended_tasks(workflow_id) < 290, "it is too late for anything to go wrong"


@pytest.fixture
def fleet(make_fleet):
    return make_fleet(proplets=3)


@pytest.mark.parametrize("keeps_sessions", [True, False])
def test_the_broker_is_killed_and_started_again(fleet, keeps_sessions):
    fleet.begin(*LIVENESS)
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    half_way(fleet, workflow_id)
    fleet.broker.kill()
    if not keeps_sessions:
        fleet.broker.lose_sessions()
    fleet.broker.start()
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)


def test_the_manager_is_killed_while_results_arrive(fleet):
    fleet.begin(*LIVENESS)
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    half_way(fleet, workflow_id)
    fleet.manager.kill()
    fleet.start_manager(*LIVENESS)
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)
    reasons = [event.get("reason", "") for event in events(fleet)]
    assert [reason for reason in reasons if "was lost" in reason] == [], "what proplets were running goes on"


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_proplet_is_killed(fleet, comes_back):
    fleet.begin(*LIVENESS)
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    half_way(fleet, workflow_id)
    victim = fleet.proplets["proplet2"]
    victim.kill()
    if comes_back:
        victim.start()
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)


def test_a_proplet_is_cut_off_for_longer_than_its_lease(fleet):
    with Island() as island:
        fleet.broker.start()
        fleet.start_manager(*LIVENESS)
        for section in ("proplet1", "proplet2"):
            fleet.start_proplet(section)
        far = fleet.start_proplet("proplet3", island=island)
        fleet.wait_for_proplets(3)
        big = BigWorkflow()
        workflow_id = big.start(fleet)
        half_way(fleet, workflow_id)
        far_id = fleet.ids["proplet3"]
        with island.cut():
            until(lambda: not fleet.get(f"/proplets/{far_id}")["alive"])
            assert fleet.get(f"/proplets/{far_id}")["task_count"] == 0
        until(lambda: fleet.get(f"/proplets/{far_id}")["alive"])
        fleet.wait_for_workflow(workflow_id)
        big.check(fleet, workflow_id)
        far.kill()


def test_a_proplet_behind_a_bad_line(fleet):
    """30 % loss and 200 ms delay in each direction."""
    with Island() as island:
        fleet.broker.start()
        fleet.start_manager("--liveness", "15s")
        for section in ("proplet1", "proplet2"):
            fleet.start_proplet(section)
        far = fleet.start_proplet("proplet3", island=island)
        fleet.wait_for_proplets(3)
        big = BigWorkflow()
        with island.impaired(loss=0.3, delay_s=0.2):
            workflow_id = big.start(fleet)
            fleet.wait_for_workflow(workflow_id, seconds=200)
        big.check(fleet, workflow_id)
        used = {task.get("proplet_id") for task in fleet.get(f"/workflows/{workflow_id}")["tasks"]}
        assert fleet.ids["proplet3"] in used
        far.kill()


def test_clocks_ten_minutes_apart(fleet):
    fleet.broker.start()
    fleet.start_manager(*LIVENESS)
    for section, offset in (("proplet1", "+10m"), ("proplet2", "-10m"), ("proplet3", "+0")):
        fleet.start_proplet(section, clock=offset)
    fleet.wait_for_proplets(3)
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)


def is_result(line, task_id):
    """Say whether a line of a signed message has the result of a task."""
    return line.startswith(b'["control/proplet/results"') and task_id.encode() in line


def test_results_wait_on_the_proplet_for_a_manager_and_survive_the_proplet(make_fleet):
    fleet = make_fleet()
    fleet.drop_access_rules()
    fleet.begin()
    listener = Listener(fleet, "from/+/control/proplet/signed")
    job = {"name": "j", "tasks": [{"name": "main", "file": MODULE, "inputs": [1, 2]} for _ in range(40)]}
    made = fleet.post("/jobs", job)
    task_ids = [task["id"] for task in made["tasks"]]
    fleet.post(f"/jobs/{made['job_id']}/start")
    until(lambda: fleet.get(f"/tasks/{task_ids[0]}")["state"] == 3)
    held = [task["id"] for task in fleet.get(f"/jobs/{made['job_id']}")["tasks"] if task["state"] == 2]
    fleet.manager.kill()
    assert held
    until(lambda: all(any(is_result(line, task_id) for line in listener.lines) for task_id in held))
    listener.close()
    fleet.proplets["proplet"].kill()
    fleet.broker.kill()
    fleet.broker.lose_sessions()
    fleet.broker.start()
    fleet.start_manager()
    fleet.proplets["proplet"].start()
    for task_id in task_ids:
        task = fleet.wait_for_task(task_id)
        assert task["results"] == "3\n"
        if task_id in held:
            assert task.get("attempt", 1) == 1, "it was not run again: its result was kept"
