"""New identities: the files they are in, and a real Mosquitto that is started with these."""

import os
import queue
import re
import socket
import subprocess
import threading
import tomllib
import uuid

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from tests.parts.programs import path_of

from propeller.config.errors import BadFiles
from propeller.config.programs import manager_settings, proplet_settings, proxy_settings
from propeller.config.provision import add_proplets, add_proxy, provision
from propeller.config.sources import resolve
from propeller.config.tables import MANAGER, PROPLET, PROXY

SECONDS_MAX = 30
REFUSED = ReasonCode(PacketTypes.PUBACK, "Not authorized")


class Broker:
    """A Mosquitto with the files that were written."""

    def __init__(self, directory, port):
        self.port = port
        self.process = subprocess.Popen(
            [path_of("mosquitto"), "-c", str(directory / "mosquitto.conf")],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = queue.Queue()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self.wait_for("running")

    def _read(self):
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, text):
        seen = []
        while True:
            line = self._lines.get(timeout=SECONDS_MAX)
            assert line is not None, f"Mosquitto ended: {''.join(seen)}"
            seen.append(line)
            if text in line:
                return

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS_MAX)
        self._reading.join()
        self.process.stderr.close()


class Member:
    """A client with one identity, which hears all that it may."""

    def __init__(self, port, entity_id, api_key):
        self.heard = queue.Queue()
        self._answers = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=entity_id, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(entity_id, api_key)
        self._client.on_connect = lambda _c, _d, _f, code, _p: self._answers.put(code)
        self._client.on_subscribe = lambda _c, _d, _m, codes, _p: self._answers.put(codes[0])
        self._client.on_publish = lambda _c, _d, _m, code, _p: self._answers.put(code)
        self._client.on_message = lambda _c, _d, message: self.heard.put(message.topic)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.welcome = self._answers.get(timeout=SECONDS_MAX)

    def subscribe(self, topic):
        self._client.subscribe(topic, 1)
        self._answers.get(timeout=SECONDS_MAX)

    def may_publish(self, topic):
        self._client.publish(topic, b"{}", 1)
        return self._answers.get(timeout=SECONDS_MAX) != REFUSED

    def heard_until(self, last):
        topics = []
        while not topics or topics[-1] != last:
            topics.append(self.heard.get(timeout=SECONDS_MAX))
        return topics

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def system(tmp_path):
    """Yield a function that connects a member by its section, with two proplets and more on demand."""
    port = free_port()
    made = provision(tmp_path / "config.toml", proplets=2, mqtt_address=f"tcp://127.0.0.1:{port}")
    broker = Broker(tmp_path, port)
    members = []

    def connect(section, key=None):
        identity = tomllib.loads((tmp_path / "config.toml").read_text())[section]
        members.append(Member(port, identity["entity_id"], key or identity["api_key"]))
        return members[-1]

    connect.broker, connect.made, connect.directory = broker, made, tmp_path
    connect.base = f"m/{made.channel.tenant_id}/c/{made.channel.channel_id}"
    connect.ids = {one.section: one.entity_id for one in made.identities}
    yield connect
    for member in members:
        member.close()
    broker.stop()


MAY_WRITE = {
    "manager": {"control/manager/start", "proplet/1/start", "proplet/1/registry/server", "registry/server"},
    "proplet1": {
        "control/proplet/alive",
        "control/proplet/results",
        "registry/proplet",
        "fl/rounds/r/updates",
    },
    "proxy": {"registry/server", "proplet/1/registry/server"},
}
TOPICS = sorted(set().union(*MAY_WRITE.values()))


@pytest.mark.parametrize("section", MAY_WRITE)
def test_each_may_write_its_own_topics_and_no_others(system, section):
    member = system(section)
    may = {topic for topic in TOPICS if member.may_publish(f"{system.base}/{topic}")}
    assert may == MAY_WRITE[section]
    assert not member.may_publish("m/other/c/other/control/proplet/alive")
    assert not member.may_publish("control/manager/start")


def test_each_hears_what_is_for_it_and_nothing_else(system):
    names = ("manager", "proplet1", "proplet2", "proxy")
    manager, one, two, proxy = members = [system(name) for name in names]
    for member in members:
        member.subscribe("#")

    def say(member, *topics):
        for topic in topics:
            assert member.may_publish(f"{system.base}/{topic}")

    mine, other = f"proplet/{system.ids['proplet1']}", f"proplet/{system.ids['proplet2']}"
    say(one, "control/proplet/results", "fl/rounds/r", "registry/proplet")
    say(proxy, f"{mine}/registry/server", f"{other}/registry/server")
    say(manager, f"{mine}/start", f"{other}/start", "control/manager/other", "control/manager/hello")
    say(manager, "registry/server", "control/manager/start")
    say(two, "registry/proplet", "control/proplet/alive")
    heard = {
        "manager": manager.heard_until(f"{system.base}/control/proplet/alive"),
        "proplet1": one.heard_until(f"{system.base}/control/manager/start"),
        "proplet2": two.heard_until(f"{system.base}/control/manager/start"),
        "proxy": [proxy.heard.get(timeout=SECONDS_MAX) for _ in range(2)],
    }
    shared = ["control/manager/hello", "registry/server", "control/manager/start"]
    wanted = {
        "manager": [
            "control/proplet/results",
            "fl/rounds/r",
            "registry/proplet",
            "registry/proplet",
            "control/proplet/alive",
        ],
        "proplet1": [f"{mine}/registry/server", f"{mine}/start", *shared],
        "proplet2": [f"{other}/registry/server", f"{other}/start", *shared],
        "proxy": ["registry/proplet", "registry/proplet"],
    }
    assert heard == {name: [f"{system.base}/{topic}" for topic in topics] for name, topics in wanted.items()}
    assert all(member.heard.empty() for member in members)


def test_nobody_gets_in_with_a_wrong_key_or_without_a_name(system):
    assert system("manager").welcome == "Success"
    assert system("proplet1", key="wrong").welcome == "Not authorized"
    stranger = Member(system.broker.port, str(uuid.uuid4()), "key")
    assert stranger.welcome == "Not authorized"
    stranger.close()


def test_who_is_added_gets_in_when_the_files_are_read_again(system):
    before = {name: (system.directory / name).read_text() for name in ("passwords", "acl")}
    made = add_proplets(system.directory / "config.toml", 2)
    assert [one.section for one in made.identities] == ["proplet3", "proplet4"]
    for name, text in before.items():
        assert (system.directory / name).read_text().startswith(text), "those who were there stay as they are"
    system.broker.process.send_signal(1)
    system.broker.wait_for("Reloading config")
    member = system("proplet4")
    assert member.welcome == "Success"
    assert member.may_publish(f"{system.base}/control/proplet/alive")
    assert system("proplet1").welcome == "Success"


def test_what_is_written_is_what_the_programs_read(tmp_path):
    config = tmp_path / "config.toml"
    made = provision(config, proplets=1, mqtt_address="tcp://broker:1884")
    assert [one.section for one in made.identities] == ["manager", "proplet", "proxy"]
    environ = {"HOME": str(tmp_path)}
    made_of = [(MANAGER, manager_settings), (PROPLET, proplet_settings), (PROXY, proxy_settings)]
    for (kind, make), identity in zip(made_of, made.identities, strict=True):
        effective = resolve(kind, environ, file=config)
        assert effective.remarks == ()
        mqtt_settings = make(effective, environ).mqtt
        assert mqtt_settings.entity_id == identity.entity_id == str(uuid.UUID(identity.entity_id, version=4))
        assert (mqtt_settings.api_key, mqtt_settings.base) == (
            identity.api_key,
            f"m/{made.channel.tenant_id}/c/{made.channel.channel_id}",
        )
        assert mqtt_settings.address == "tcp://broker:1884"
    assert len({one.api_key for one in made.identities}) == 3
    assert "listener 1884\n" in (tmp_path / "mosquitto.conf").read_text()


def test_files_with_secrets_are_for_their_owner_only(tmp_path):
    before = os.umask(0)
    try:
        made = provision(tmp_path / "config.toml", proplets=1)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (made.config, *made.broker_files)}
    assert modes == dict.fromkeys(("config.toml", "passwords", "acl", "mosquitto.conf"), 0o600)
    assert {path.name for path in tmp_path.iterdir()} == {*modes, "mosquitto-data"}, "nothing else is left"


@pytest.mark.parametrize("name", ["config.toml", "passwords", "acl", "mosquitto.conf"])
def test_nothing_is_overwritten_without_force(tmp_path, name):
    config = tmp_path / "config.toml"
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadFiles, match=rf"{name}: is there already; .*--force replaces it"):
        provision(config, proplets=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    provision(config, proplets=1, force=True)
    assert "mine" not in (tmp_path / name).read_text()
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_what_somebody_wrote_into_the_file_stays(tmp_path):
    config = tmp_path / "config.toml"
    made = provision(config, proplets=1)
    text = config.read_text().replace("[proplet]\n", "[proplet]\nslots = 9 # many\n")
    config.write_text(text + '\n[other]\ntext = """\n[proxy]\n"""\n')
    config.chmod(0o640)
    first = add_proplets(config, 2)
    again = add_proplets(config, 1)
    assert [one.section for one in (*first.identities, *again.identities)] == [
        "proplet2",
        "proplet3",
        "proplet4",
    ]
    after = config.read_text()
    assert "slots = 9 # many" in after
    assert list(tomllib.loads(after)) == [
        "manager", "proplet", "proplet2", "proplet3", "proplet4", "proxy", "other"
    ]  # fmt: skip
    assert tomllib.loads(after)["proplet"]["entity_id"] == made.identities[1].entity_id
    assert config.stat().st_mode & 0o777 == 0o640


def test_a_file_of_another_service_gets_the_files_of_a_broker_and_a_proxy(tmp_path):
    config = tmp_path / "config.toml"
    old = '[{0}]\ndomain_id = "t"\nclient_id = "{0}"\nclient_key = "k"\nchannel_id = "c"\n'
    config.write_text(old.format("manager") + old.format("proplet"))
    add_proxy(config)
    assert list(tomllib.loads(config.read_text())) == ["manager", "proplet", "proxy"]
    users = re.findall(r"(?m)^(.*?):\$7\$", (tmp_path / "passwords").read_text())
    assert users[:2] == ["manager", "proplet"]
    assert len(users) == 3
    assert "user manager\ntopic write m/t/c/c/control/manager/#" in (tmp_path / "acl").read_text()
    with pytest.raises(BadFiles, match="there is a section"):
        add_proxy(config)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no such file; make one with: propeller provision -f"),
        ("[manager", "is no TOML"),
        ("[proplet]", r"no section \[manager\]"),
        ('[manager]\ntenant_id = "t"', r"\[manager\] has no channel_id"),
        ("manager = 1", "has to be a section"),
    ],
)
def test_a_file_that_can_not_be_extended_stays_as_it_is(tmp_path, text, complaint):
    config = tmp_path / "config.toml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(BadFiles, match=complaint):
        add_proplets(config, 1)
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if text is None else [text])


def test_a_directory_that_is_missing_is_told(tmp_path):
    with pytest.raises(BadFiles, match="there is no such directory"):
        provision(tmp_path / "no" / "config.toml", proplets=1)
