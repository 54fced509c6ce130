"""A fleet whose broker and API have certificates of ``propeller provision``, which end and are renewed."""

import datetime as dt
import ssl

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from propeller.config.certificates import Authority, issue, new_authority, subject_of
from tests.waiting import until

NOW = dt.datetime.now(dt.UTC)


def connect(fleet, cert, name, key):
    """Try to connect to the broker, and say how that ended."""
    said = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    client.tls_set(str(fleet.ca), *([str(cert)] * 2 if cert else []))
    client.username_pw_set(name, key)
    client.on_connect = lambda _client, _data, _flags, reason, _properties: said.append(str(reason))
    try:
        client.connect("127.0.0.1", fleet.port)
        until(lambda: client.loop(0.1) or said)
    except OSError:
        return "refused"
    finally:
        client.disconnect()
    return said[0] if said else "refused"


@pytest.mark.parametrize("tls", ["--tls", "--mtls"])
def test_a_task_runs_over_tls_from_end_to_end(make_fleet, tls):
    fleet = make_fleet(1, tls=tls)
    fleet.begin()
    assert fleet.wait_for_task(_started(fleet))["results"] == "3\n"
    assert str(fleet.http.base_url).startswith("https://")


def _started(fleet):
    task_id = fleet.task()
    fleet.post(f"/tasks/{task_id}/start")
    return task_id


def test_with_mutual_tls_the_certificate_says_who_it_is(make_fleet):
    fleet = make_fleet(2, tls="--mtls")
    fleet.broker.start()
    tls, one, two = fleet.directory / "tls", fleet.section("proplet1"), fleet.section("proplet2")
    mine = tls / "proplet1.pem"
    assert connect(fleet, mine, one["entity_id"], "whatever") == "Success"
    assert connect(fleet, None, one["entity_id"], one["api_key"]) == "refused"
    stranger = fleet.directory / "stranger.pem"
    stranger.write_text(issue(new_authority("Propeller fleet", NOW), subject_of(mine.read_text()), NOW))
    assert connect(fleet, stranger, one["entity_id"], one["api_key"]) == "refused"
    # With a certificate of its own it is itself, whoever it says to be.
    assert connect(fleet, mine, two["entity_id"], two["api_key"]) == "Success"
    until(lambda: f"as {one['entity_id']} " in fleet.broker.said)
    assert f"as {two['entity_id']} " not in fleet.broker.said


def test_certificates_that_end_while_all_runs_are_renewed_by_one_command(make_fleet):
    fleet = make_fleet(1, tls="--mtls")
    tls = fleet.directory / "tls"
    authority = Authority((tls / "ca.crt").read_text(), (tls / "ca.key").read_text())
    begun = dt.datetime.now(dt.UTC)
    for name in ("broker", "manager", "proplet"):
        path = tls / f"{name}.pem"
        path.write_text(issue(authority, subject_of(path.read_text()), begun, life=dt.timedelta(seconds=15)))
    fleet.begin()
    assert fleet.wait_for_task(_started(fleet))["results"] == "3\n"
    processes = [program.process for program in (fleet.manager, *fleet.proplets.values())]

    def api_refuses():
        with httpx.Client(verify=ssl.create_default_context(cafile=fleet.ca), trust_env=False) as http:
            try:
                http.get(f"{fleet.http.base_url}/health")
            except httpx.ConnectError as error:
                return "certificate has expired" in str(error)
        return False

    until(api_refuses)
    fleet.broker.stop()
    fleet.broker.start()
    until(lambda: "certificate has expired" in fleet.manager.said)
    fleet.run("provision", "renew", "-f", str(fleet.config))
    assert (tls / "manager.pem").stat().st_mode & 0o777 == 0o600
    until(lambda: not api_refuses())
    fleet.broker.reload()
    fleet.ask_at(str(fleet.http.base_url.port))
    assert fleet.wait_for_task(_started(fleet))["results"] == "3\n"
    assert processes == [program.process for program in (fleet.manager, *fleet.proplets.values())]
    assert all(process.poll() is None for process in processes)
