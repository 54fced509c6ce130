"""Modules that are fetched from a registry or from the web, by the proxy or by the proplet itself."""

from hashlib import sha256

from propeller.signing.keys import generate, private_key
from propeller.signing.signatures import sign
from tests.builders import ADDITION, padded
from tests.e2e.fleet.harness import PROPELLER
from tests.registry.helpers import PASSWORD, USER, WASM, Server
from tests.registry.signing_helpers import push_signatures


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


def test_a_proplet_runs_an_image_only_if_a_key_of_the_manager_has_signed_it(make_fleet, registry, tmp_path):
    private, public = generate()
    ann = private_key(private)
    (tmp_path / "ann.pub").write_bytes(public)
    fleet = make_fleet(proplets=2)
    fleet.broker.start()
    fleet.start_manager(MANAGER_MODULE_POLICY="signed", MANAGER_MODULE_KEYS=str(tmp_path / "ann.pub"))
    start_proxy(fleet, PROXY_REGISTRY_PLAIN_HTTP=registry.host)
    fleet.start_proplet("proplet1", PROPLET_FETCH="direct", PROPLET_REGISTRY_PLAIN_HTTP=registry.host)
    fleet.start_proplet("proplet2")
    fleet.wait_for_proplets(2)
    pushed = registry.push("acme/vouched", "v1", (ADDITION, WASM))
    push_signatures(registry, "acme/vouched", pushed["digest"], ann)
    registry.push("acme/vouched", "v2", (padded(1_000), WASM))
    direct, proxied = (fleet.ids[section] for section in ("proplet1", "proplet2"))
    image = f"{registry.host}/acme/vouched"
    assert run_image(fleet, f"{image}:v1", proplet_id=direct)["results"] == "3\n"
    for version, proplet_id in (("v2", direct), ("v1", proxied)):
        refused = run_image(fleet, f"{image}:{version}", proplet_id=proplet_id)
        assert (refused["state"], refused["error_kind"]) == (4, "refused")
        assert "none of the keys that count (ann) has signed" in refused["error"]
    signature = sign(ann, sha256(ADDITION).hexdigest())
    task = run_image(fleet, f"{image}:v1", proplet_id=proxied, signature=signature)
    assert task["results"] == "3\n"
