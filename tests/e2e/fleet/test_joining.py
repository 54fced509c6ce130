"""Proplets without keys that join with a token, at a broker where everybody hears all and says what he likes."""

import re

from tests.e2e.fleet.forger import Forger
from tests.waiting import until


def joining_fleet(make_fleet):
    """A fleet whose manager has a key, and whose proplets have none yet."""
    fleet = make_fleet(proplets=2)
    text = fleet.config.read_text()
    forger_key = re.search(r'\[proxy\][^\[]*?signing_key = ".*"', text)
    assert forger_key
    manager, proplets = text.split("[proplet1]")
    proplets = re.sub(r"(?m)^(manager_key|proxy_key) .*\n", "", "[proplet1]" + proplets)
    before, proxy = proplets.split("[proxy]")
    before = re.sub(r"(?m)^signing_key .*\n", "", before)
    fleet.config.write_text(re.sub(r"(?m)^proplet_keys .*\n", "", manager) + before + "[proxy]" + proxy)
    fleet.drop_access_rules()
    fleet.broker.start()
    fleet.start_manager()
    return fleet


def signed(fleet):
    return {one["id"]: one["signed"] for one in fleet.get("/proplets")["proplets"]}


def runs(fleet):
    task_id = fleet.task()
    fleet.post(f"/tasks/{task_id}/start")
    return fleet.wait_for_task(task_id)["results"] == "3\n"


def test_a_proplet_joins_with_a_token_and_signs_from_then_on(make_fleet):
    fleet = joining_fleet(make_fleet)
    first, second = fleet.ids["proplet1"], fleet.ids["proplet2"]
    forger = Forger(fleet, "proxy")
    token = fleet.post("/join-tokens", {})["token"]
    assert token.startswith("prj_")
    fleet.start_proplet("proplet1", PROPLET_JOIN_TOKEN=token)
    fleet.wait_for_proplets(1)
    assert signed(fleet) == {first: True}
    assert runs(fleet)
    assert (fleet.directory / "proplet1" / "keys.json").stat().st_mode & 0o777 == 0o600
    heard = [payload for _, payload in forger.heard]
    assert not any(token.encode() in payload for payload in heard), "who hears all does not hear the token"
    # A token is good for one proplet, and a proplet keeps its key.
    fleet.start_proplet("proplet2", PROPLET_JOIN_TOKEN=token)
    until(lambda: f"proplet {second} may not join: another proplet has used its token" in fleet.manager.said)
    (join,) = {payload for topic, payload in forger.heard if topic == f"from/{first}/control/proplet/join"}
    forger.publish(f"from/{second}/control/proplet/join", join)
    until(lambda: f"proplet {second} may not join: it has no token of this manager" in fleet.manager.said)
    fleet.proplets["proplet1"].kill()
    (fleet.directory / "proplet1" / "keys.json").unlink()
    again = fleet.post("/join-tokens", {"expires_in": "1d"})["token"]
    fleet.start_proplet("proplet1", PROPLET_JOIN_TOKEN=again)
    until(lambda: f"proplet {first} may not join: it has another key already" in fleet.manager.said)
    forger.close()


def test_who_has_joined_needs_no_token_any_more_and_the_manager_remembers_its_key(make_fleet):
    fleet = joining_fleet(make_fleet)
    victim = fleet.ids["proplet1"]
    token = fleet.post("/join-tokens", {})["token"]
    fleet.start_proplet("proplet1", PROPLET_JOIN_TOKEN=token)
    fleet.wait_for_proplets(1)
    fleet.proplets["proplet1"].stop()
    fleet.manager.kill()
    fleet.start_manager()
    forger = Forger(fleet, "proxy")
    forger.plain(f"from/{victim}/control/proplet/create", proplet_id=victim, boot=2**62)
    until(lambda: f"of {victim}: it is not signed" in fleet.manager.said)
    fleet.start_proplet("proplet1")
    fleet.wait_for_proplets(1)
    assert signed(fleet) == {victim: True}
    assert runs(fleet)
    forger.close()


def test_a_token_expires_and_what_is_none_is_refused_with_words(make_fleet):
    fleet = joining_fleet(make_fleet)
    token = fleet.post("/join-tokens", {"expires_in": "0.001s"})["token"]
    fleet.start_proplet("proplet1", PROPLET_JOIN_TOKEN=token)
    until(lambda: "may not join: its token has expired" in fleet.manager.said)
    assert "expires_in" in fleet.call("POST", "/join-tokens", {"expires_in": "soon"}, status=400)["error"]
    broken = fleet.start_proplet("proplet2", PROPLET_JOIN_TOKEN="prj_short")
    until(lambda: broken.process.poll() is not None)
    assert "PROPLET_JOIN_TOKEN" in broken.said
    assert "get one with: propeller proplets token" in broken.said
