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

from propeller.config.definitions import MANAGER, PROPLET, PROXY
from propeller.config.errors import BadFiles
from propeller.config.programs import manager_settings, proxy_settings, remote_proplet_settings
from propeller.config.provision import add_foreign, add_proplets, add_proxy, provision, renew
from propeller.config.sources import resolve

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

    def __init__(self, port, entity_id, api_key, *, client_id="", will=""):
        self.heard = queue.Queue()
        self._answers = queue.Queue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or entity_id, protocol=mqtt.MQTTv5
        )
        if will:
            self._client.will_set(will, b"{}", qos=1)
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

    def may_publish(self, topic, *, is_kept=False):
        self._client.publish(topic, b"{}", 1, retain=is_kept)
        return self._answers.get(timeout=SECONDS_MAX) != REFUSED

    def heard_until(self, last):
        topics = []
        while not topics or topics[-1] != last:
            topics.append(self.heard.get(timeout=SECONDS_MAX))
        return topics

    def vanish(self):
        """Be gone without a good-bye; return when the broker has noticed."""
        self._client.socket().shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

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
    made = provision(
        tmp_path / "config.toml", proplets=2, foreign=["gateway"], mqtt_address=f"tcp://127.0.0.1:{port}"
    )
    broker = Broker(tmp_path, port)
    members = []

    def connect(section, key=None, **options):
        identity = tomllib.loads((tmp_path / "config.toml").read_text())[section]
        members.append(Member(port, identity["entity_id"], key or identity["api_key"], **options))
        return members[-1]

    connect.broker, connect.made, connect.directory = broker, made, tmp_path
    connect.base = f"m/{made.channel.tenant_id}/c/{made.channel.channel_id}"
    connect.ids = {one.section: one.entity_id for one in made.identities}
    yield connect
    for member in members:
        member.close()
    broker.stop()


CONTRACTS = ("create", "alive", "results", "invoke_results", "metrics", "task_metrics")
TO_MANAGER = (*CONTRACTS, "handback", "up", "logs", "module")
TO_PROPLETS = ("start", "stop", "hello", "ack", "invoke", "announcement")


def own(system, section):
    """Name what is said to a proplet alone, and what it alone may say."""
    entity_id = system.ids[section]
    told = [f"proplet/{entity_id}/control/manager/{one}" for one in TO_PROPLETS]
    says = [f"from/{entity_id}/control/proplet/{one}" for one in TO_MANAGER]
    return [*told, f"proplet/{entity_id}/registry/server"], [*says, f"from/{entity_id}/registry/proplet"]


def may_write(system):
    (told1, says1), (told2, says2) = own(system, "proplet1"), own(system, "proplet2")
    chunks = [topic for topic in (*told1, *told2) if topic.endswith("registry/server")]
    shared = [f"control/manager/{one}" for one in TO_PROPLETS]
    rounds = ["fl/rounds/start", "fl/rounds/r/updates/p"]
    return {
        "manager": {*shared, *told1, *told2, "registry/server", *rounds},
        "proplet1": set(says1),
        "proplet2": set(says2),
        "foreign1": {"registry/proplet", *(f"control/proplet/{one}" for one in CONTRACTS)},
        "proxy": {"registry/server", *chunks},
    }


@pytest.mark.parametrize("section", ["manager", "proplet1", "foreign1", "proxy"])
def test_each_may_write_its_own_topics_and_no_others(system, section):
    member = system(section)
    rights = may_write(system)
    topics = sorted(set().union(*rights.values(), (f"control/proplet/{one}" for one in TO_MANAGER)))
    may = {topic for topic in topics if member.may_publish(f"{system.base}/{topic}")}
    assert may == rights[section]
    assert not member.may_publish("m/other/c/other/control/proplet/alive")
    assert not member.may_publish("control/manager/start")
    assert not member.may_publish("fl/rounds/r/updates/p")


@pytest.mark.parametrize("how", ["#", "$share/group/#", "+/+/+/+/#"])
def test_each_hears_what_is_for_it_and_nothing_else(system, how):
    members = {name: system(name) for name in ("manager", "proplet1", "proplet2", "foreign1", "proxy")}
    for name, member in members.items():
        member.subscribe(how.replace("group", name))
    said = {name: sorted(topics) for name, topics in may_write(system).items()}
    last = {
        "manager": "control/proplet/task_metrics",
        "proplet1": "control/manager/hello",
        "proplet2": "control/manager/hello",
        "foreign1": "registry/server",
        "proxy": "registry/proplet",
    }
    for name, topics in said.items():
        for topic in [one for one in topics if one not in last.values()]:
            assert members[name].may_publish(f"{system.base}/{topic}")
    for name, topic in (
        ("manager", last["proplet1"]),
        ("foreign1", last["manager"]),
        ("proxy", last["foreign1"]),
        ("foreign1", last["proxy"]),
    ):
        assert members[name].may_publish(f"{system.base}/{topic}")
    heard = {
        name: {
            topic.removeprefix(f"{system.base}/")
            for topic in member.heard_until(f"{system.base}/{last[name]}")
        }
        for name, member in members.items()
    }
    told1, says1 = own(system, "proplet1")
    told2, says2 = own(system, "proplet2")
    for_all = {"control/manager/announcement", "control/manager/hello"}
    assert heard == {
        "manager": {
            *(topic for topic in (*says1, *says2) if "/control/" in topic),
            *(f"control/proplet/{one}" for one in CONTRACTS),
            "fl/rounds/start",
            "fl/rounds/r/updates/p",
            "control/manager/announcement",
            *(["registry/proplet"] if "registry/proplet" in heard["manager"] else []),
        },
        "proplet1": {*told1, *for_all},
        "proplet2": {*told2, *for_all},
        "foreign1": {
            "control/manager/start",
            "control/manager/stop",
            "control/manager/invoke",
            "registry/server",
        },
        "proxy": {
            "registry/proplet",
            f"from/{system.ids['proplet1']}/registry/proplet",
            f"from/{system.ids['proplet2']}/registry/proplet",
        },
    }


def test_nobody_leaves_a_word_or_a_will_in_the_name_of_another(system):
    """A will is published after its client is gone, and what is kept by the broker for whoever comes later."""
    listener = system("manager")
    listener.subscribe("#")
    mine, other = (
        f"{system.base}/from/{system.ids[one]}/control/proplet/alive" for one in ("proplet1", "proplet2")
    )
    for will in (other, f"{system.base}/control/manager/announcement", f"{system.base}/fl/x", mine):
        member = system("proplet1", will=will)
        assert member.may_publish(will, is_kept=True) == (will == mine)
        member.vanish()
    assert listener.heard_until(mine) == [mine]
    late = system("manager")
    late.subscribe("#")
    assert late.heard_until(mine) == [mine]


def test_a_key_is_of_no_use_for_the_connection_of_another(system):
    """The id of a client names its connection, and what the broker keeps for it while it is away."""
    victim = system("proplet2")
    victim.subscribe("#")
    thief = system("proplet1", client_id=system.ids["proplet2"])
    topic = f"{system.base}/proplet/{system.ids['proplet2']}/control/manager/start"
    assert system("manager").may_publish(topic)
    assert victim.heard_until(topic) == [topic]
    assert thief.heard.empty()


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
    ours = {one.section: one.entity_id for one in made.identities}["proplet4"]
    assert member.may_publish(f"{system.base}/from/{ours}/control/proplet/alive")
    assert system("proplet1").welcome == "Success"


def test_what_is_written_is_what_the_programs_read(tmp_path):
    config = tmp_path / "config.toml"
    made = provision(config, proplets=1, mqtt_address="tcp://broker:1884")
    assert [one.section for one in made.identities] == ["manager", "proplet", "proxy"]
    environ = {"HOME": str(tmp_path)}
    made_of = [(MANAGER, manager_settings), (PROPLET, remote_proplet_settings), (PROXY, proxy_settings)]
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
    others = {"mosquitto-data", ".gitignore"}
    assert {path.name for path in tmp_path.iterdir()} == {*modes, *others}, "nothing else is left"


def test_what_somebody_keeps_out_of_git_stays_out(tmp_path):
    (tmp_path / ".gitignore").write_text("*.log\n/acl")
    config = tmp_path / "fleet.toml"
    provision(config, proplets=1)
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["*.log", "/acl"]
    assert lines[3:] == ["/fleet.toml", "/passwords", "/mosquitto-data/", "/keys/", "/tls/"]
    provision(config, proplets=1, force=True)
    assert (tmp_path / ".gitignore").read_text().splitlines() == lines


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


def test_foreign_proplets_keep_their_ids_and_the_manager_is_told_of_them(tmp_path):
    config = tmp_path / "config.toml"
    made = provision(config, proplets=1, foreign=["gate"])
    assert [(one.section, one.entity_id) for one in made.identities if one.role == "foreign"] == [
        ("foreign1", "gate")
    ]
    (more,) = add_foreign(config, ["barn"]).identities
    assert more.section == "foreign2"
    effective = resolve(MANAGER, {"HOME": str(tmp_path)}, file=config)
    assert manager_settings(effective, {"HOME": str(tmp_path)}).allow_foreign == ("gate", "barn")
    assert list(tomllib.loads(config.read_text())) == ["manager", "proplet", "foreign1", "foreign2", "proxy"]
    assert "topic write" in (tmp_path / "acl").read_text().partition("user barn\n")[2]
    for ids in (["barn"], ["new", "new"]):
        with pytest.raises(BadFiles, match="is there already; an id is one program's alone"):
            add_foreign(config, ids)


def test_a_provisioned_fleet_hears_no_foreign_proplet(tmp_path):
    provision(tmp_path / "config.toml", proplets=1)
    environ = {"HOME": str(tmp_path)}
    effective = resolve(MANAGER, environ, file=tmp_path / "config.toml")
    assert manager_settings(effective, environ).allow_foreign == ()


def outdate(directory):
    """Write the files as an earlier version did, with something of somebody's own."""
    acl = directory / "acl"
    text = re.sub(r"(?m)^topic \w+ \S+/from/.*\n", "", acl.read_text())
    acl.write_text(f"# mine\ntopic read news\n\n{text}\n# a friend\nuser friend\ntopic read m/#\n")
    for name in ("mosquitto.conf", "config.toml"):
        file = directory / name
        file.write_text(re.sub(r"(?m)^(use_username|allow_foreign).*\n", "", file.read_text()))


def test_files_of_an_earlier_version_are_renewed_before_they_are_extended(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=1)
    fresh = {
        name: (tmp_path / name).read_text() for name in ("config.toml", "passwords", "mosquitto.conf", "acl")
    }
    outdate(tmp_path)
    with pytest.raises(BadFiles, match=r"acl: is of an earlier version; .*propeller provision renew -f"):
        add_proplets(config, 1)
    for _ in range(2):
        renew(config)
        after = {name: (tmp_path / name).read_text() for name in fresh}
        acl = after.pop("acl")
        assert tomllib.loads(after.pop("config.toml")) == tomllib.loads(fresh["config.toml"])
        assert after == {name: fresh[name] for name in after}
        assert acl.startswith("# mine\ntopic read news\n\n# a friend\nuser friend\ntopic read m/#\n")
        assert acl.endswith(fresh["acl"])
    add_proplets(config, 1)


def test_rules_of_ones_own_for_everybody_stay_wherever_they_stand(tmp_path):
    config = tmp_path / "config.toml"
    provision(config, proplets=1)
    acl = tmp_path / "acl"
    fresh = acl.read_text()
    patterns = "# each his own\npattern readwrite own/%u/#\n", "  pattern read news/%c\n"
    first, second = fresh.split("\n\n", 1)
    acl.write_text(f"{first}\n{patterns[0]}\n{second}{patterns[1]}")
    for _ in range(2):
        renew(config)
        assert all(acl.read_text().count(pattern.strip()) == 1 for pattern in patterns)
        assert acl.read_text().endswith(fresh)


@pytest.mark.parametrize("value", ['"*"', '"gate , barn"', '["gate", "barn"]'])
def test_whom_somebody_allowed_stays_allowed(tmp_path, value):
    config = tmp_path / "config.toml"
    provision(config, proplets=1)
    config.write_text(config.read_text().replace('allow_foreign = ""', f"allow_foreign = {value}"))
    add_foreign(config, ["new"])
    allowed = tomllib.loads(config.read_text())["manager"]["allow_foreign"]
    assert allowed == ("*,new" if "*" in value else "gate,barn,new")
