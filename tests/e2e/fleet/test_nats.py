"""A fleet over a cluster of brokers, each program at one of them: a broker may fail."""

import pytest

from tests.e2e.fleet.big_workflow import BigWorkflow
from tests.parts.nats import Cluster
from tests.waiting import until


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path / "nats") as made:
        yield made
        for node in made.nodes:
            print(f"-- {node.name}\n{node.said[-3000:]}")


def begin(fleet, cluster, qos="1", liveness="5s"):
    """Put the manager at the first node, and the proplets in turn at the others and it."""
    one, *others = cluster.nodes
    fleet.start_manager(MANAGER_MQTT_ADDRESS=one.address, MANAGER_MQTT_QOS=qos, MANAGER_LIVENESS=liveness)
    for section, node in zip(fleet.sections, [*others, one], strict=True):
        fleet.start_proplet(section, PROPLET_MQTT_ADDRESS=node.address, PROPLET_MQTT_QOS=qos)
    fleet.wait_for_proplets(len(fleet.sections))


def test_a_workflow_survives_the_end_of_a_broker(make_fleet, cluster):
    fleet = make_fleet(proplets=3)
    begin(fleet, cluster)
    big = BigWorkflow(size=200)
    workflow_id = big.start(fleet)
    until(lambda: fleet.ended_tasks(workflow_id) >= 20)
    cluster.nodes[1].kill()
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)


def test_quality_2_which_the_broker_does_not_offer_becomes_1(make_fleet, cluster):
    fleet = make_fleet(proplets=3)
    # A broker that takes seconds for a first subscription is not to be taken for dead: no connection may end.
    begin(fleet, cluster, qos="2", liveness="60s")
    for n in range(6):
        task_id = fleet.task(inputs=[n, 1])
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id)["results"] == f"{n + 1}\n"
    assert "offers quality of service 1 at most, not 2" in fleet.manager.said
    assert "the connection was lost" not in fleet.manager.said


def test_programs_at_a_broker_that_comes_back_go_on(make_fleet, cluster):
    fleet = make_fleet(proplets=3)
    begin(fleet, cluster)
    big = BigWorkflow(size=200, seed=4)
    workflow_id = big.start(fleet)
    until(lambda: fleet.ended_tasks(workflow_id) >= 20)
    cluster.nodes[0].kill()
    cluster.nodes[0].start()
    fleet.wait_for_workflow(workflow_id)
    big.check(fleet, workflow_id)
    fleet.wait_for_proplets(3)
