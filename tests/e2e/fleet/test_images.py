"""Modules that are fetched from a registry or from the web, by the proxy or by the proplet itself."""

from tests.builders import ADDITION, padded
from tests.e2e.fleet.harness import PROPELLER
from tests.registry.helpers import PASSWORD, USER, WASM, Server


def run_image(fleet, image_url, **fields):
    task_id = fleet.post("/tasks", {"name": "main", "image_url": image_url, "inputs": [1, 2], **fields})["id"]
    fleet.post(f"/tasks/{task_id}/start")
    return fleet.wait_for_task(task_id)


def start_proxy(fleet, **env):
    command = [*PROPELLER, "proxy", "--config", str(fleet.config), "--http-port", "0"]
    return fleet.start_other("proxy", command, PROXY_MQTT_QOS="1", **env)


def test_the_proxy_brings_what_the_tag_names_now(make_fleet, registry):
    fleet = make_fleet()
    fleet.begin()
    start_proxy(fleet, PROXY_REGISTRY_PLAIN_HTTP=registry.host)
    registry.push("acme/sum", "v1", (padded(3_000_000), WASM))
    assert run_image(fleet, f"{registry.host}/acme/sum:v1")["results"] == "3\n"
    registry.push("acme/sum", "v1", (b"\0asm this is none any more", WASM))
    task = run_image(fleet, f"{registry.host}/acme/sum:v1")
    assert task["state"] == 4
    missing = run_image(fleet, f"{registry.host}/acme/sum:v2")
    assert (missing["state"], "v2" in missing["error"]) == (4, True)


def test_the_proxy_has_the_password_and_the_proplet_need_not(make_fleet, closed_registry):
    fleet = make_fleet()
    fleet.begin()
    start_proxy(
        fleet,
        PROXY_REGISTRY_PLAIN_HTTP=closed_registry.host,
        PROXY_REGISTRY_URL=closed_registry.host,
        PROXY_REGISTRY_USERNAME=USER,
        PROXY_REGISTRY_PASSWORD=PASSWORD,
    )
    closed_registry.push("acme/sum", "v1", (ADDITION, WASM))
    assert run_image(fleet, f"{closed_registry.host}/acme/sum:v1")["results"] == "3\n"


def test_a_proplet_with_access_fetches_for_itself(make_fleet, registry):
    fleet = make_fleet()
    fleet.begin(proplet_env={"PROPLET_FETCH": "direct", "PROPLET_REGISTRY_PLAIN_HTTP": registry.host})
    pushed = registry.push("acme/self", "v1", (ADDITION, WASM))
    for reference in ("acme/self:v1", f"acme/self@{pushed['digest']}"):
        assert run_image(fleet, f"{registry.host}/{reference}")["results"] == "3\n"


def test_an_address_on_the_web_is_fetched_if_it_may_be(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.broker.start()
    fleet.start_manager()
    fleet.start_proplet("proplet1")
    fleet.start_proplet("proplet2", PROPLET_ALLOW_PRIVATE_ADDRESSES="true")
    fleet.wait_for_proplets(2)
    with Server(lambda _: (200, {"Content-Type": WASM}, ADDITION)) as server:
        url = f"http://{server.host}/sum.wasm"
        refused = run_image(fleet, url, proplet_id=fleet.ids["proplet1"])
        assert (refused["state"], server.requests) == (4, [])
        assert run_image(fleet, url, proplet_id=fleet.ids["proplet2"])["results"] == "3\n"


def test_a_hostile_registry_fails_its_task_and_is_asked_once(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.broker.start()
    fleet.start_manager()
    body = b'{"config":' + b"[" * 100_000
    with Server(lambda _: (200, {"Content-Type": "application/json"}, body)) as server:
        start_proxy(fleet, PROXY_REGISTRY_PLAIN_HTTP=server.host)
        fleet.start_proplet("proplet1")
        fleet.start_proplet("proplet2", PROPLET_FETCH="direct", PROPLET_REGISTRY_PLAIN_HTTP=server.host)
        fleet.wait_for_proplets(2)
        for section in ("proplet1", "proplet2"):
            task = run_image(fleet, f"{server.host}/acme/sum:{section}", proplet_id=fleet.ids[section])
            assert task["state"] == 4
            assert "nested too deeply" in task["error"]
        assert len(server.paths) == 2
