"""From flags, variables and a file to the settings of the programs."""

import json
from pathlib import Path

import msgspec
import pytest

from propeller.config.definitions import MANAGER, PROGRAMS, PROPLET, PROXY
from propeller.config.errors import BadSettings
from propeller.config.programs import manager_settings, proxy_settings, remote_proplet_settings
from propeller.config.settings import Login, ManagerSettings, ProxySettings, RemotePropletSettings
from propeller.config.shown import shown
from propeller.config.sources import resolve
from propeller.core.model import JobMode
from propeller.mqtt.settings import MqttSettings

MAKERS = {MANAGER: manager_settings, PROPLET: remote_proplet_settings, PROXY: proxy_settings}


HTTPS = {"MANAGER_HTTP_SERVER_CERT": __file__, "MANAGER_HTTP_SERVER_KEY": __file__}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def identity(program, **more):
    names = ("TENANT_ID", "CHANNEL_ID", "ENTITY_ID", "API_KEY")
    return {f"{program.prefix}{name}": name.lower() for name in names} | {"HOME": "/home/ada"} | more


def settings(program, environ=None, **given):
    environ = identity(program) if environ is None else environ
    return MAKERS[program](resolve(program, environ, **given), environ)


def write(text, name="config.toml"):
    file = Path(name)
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_the_manager_needs_nothing_but_who_it_is():
    made = settings(MANAGER)
    assert isinstance(made, ManagerSettings)
    assert made.mqtt == MqttSettings(
        tenant_id="tenant_id",
        channel_id="channel_id",
        entity_id="entity_id",
        api_key="api_key",
        max_packet_bytes=1048576,
    )
    assert (made.http.host, made.http.port) == ("localhost", 7070)
    assert made.data_dir == Path("/home/ada/.local/share/propeller")
    assert (made.job_mode, made.placement) == (JobMode.CONFIGURABLE, "round-robin")
    assert (made.liveness_s, made.forget_after_s, made.foreign_lease_s) == (30, 86400, 3600)


def test_a_proplet_needs_nothing_but_who_it_is():
    made = settings(PROPLET)
    assert isinstance(made, RemotePropletSettings)
    assert made.mqtt.max_packet_bytes == 10_485_760
    assert made.data_dir == Path("/home/ada/.local/share/propeller/proplet-entity_id")
    assert (made.slots, made.proplet.fetch, made.proplet.tags, made.proplet.k8s_namespace) == (
        4,
        "proxy",
        (),
        "default",
    )
    assert (made.proplet.liveliness_interval_s, made.proplet.metrics_interval_s) == (10, 10)
    assert made.proplet.enable_monitoring
    assert made.proplet.collect_system_info
    assert made.proplet.external_wasm_runtime == ""


def test_the_proxy_needs_nothing_but_who_it_is():
    made = settings(PROXY)
    assert isinstance(made, ProxySettings)
    assert (made.http.host, made.http.port, made.chunk_size) == ("", 9191, 512_000)
    assert made.registry.logins == ()
    assert made.registry.cache_dir == Path("/home/ada/.cache/propeller/proxy")


def test_flag_before_variable_before_file_before_default():
    write('[manager]\nmqtt_qos = 0\nmqtt_address = "tcp://file"\nhttp_port = 1\ntenant_id = "other"')
    environ = identity(MANAGER, MANAGER_MQTT_ADDRESS="tcp://variable", MANAGER_HTTP_PORT="2")
    made = settings(MANAGER, environ, flags={"http_port": "3"})
    assert (made.http.port, made.mqtt.address, made.mqtt.qos) == (3, "tcp://variable", 0)
    assert made.mqtt.tenant_id == "tenant_id", "field by field: what the environment says counts"


def test_credentials_have_an_older_spelling_in_variables_and_in_the_file():
    write('[proplet]\ndomain_id = "d"\nclient_id = "c"\nchannel_id = "ch"')
    made = settings(PROPLET, {"PROPLET_CLIENT_KEY": "k", "HOME": "/h"})
    assert (made.mqtt.tenant_id, made.mqtt.entity_id, made.mqtt.api_key) == ("d", "c", "k")


def test_two_spellings_that_differ_are_no_guess():
    environ = identity(PROXY, PROXY_DOMAIN_ID="other")
    with pytest.raises(BadSettings, match="PROXY_TENANT_ID and PROXY_DOMAIN_ID are two names for one"):
        settings(PROXY, environ)
    assert settings(PROXY, environ | {"PROXY_DOMAIN_ID": "tenant_id"}).mqtt.tenant_id == "tenant_id"


def test_an_empty_variable_is_not_set_but_an_empty_host_means_all():
    empty = ("MQTT_QOS", "MQTT_TLS_CA_CERT", "HTTP_HOST", "HTTP_CLIENT_CA_CERTS", "PLUGIN_DIR")
    environ = identity(MANAGER, **{f"MANAGER_{name}": "" for name in empty})
    made = settings(MANAGER, environ)
    assert (made.mqtt.qos, made.http.host) == (2, "")


def test_durations_of_the_shipped_environment_count():
    environ = identity(PROPLET, PROPLET_MQTT_TIMEOUT="45s", PROPLET_LIVELINESS_INTERVAL="1m30s")
    made = settings(PROPLET, environ)
    assert (made.mqtt.timeout_s, made.proplet.liveliness_interval_s) == (45, 90)


@pytest.mark.parametrize(
    ("program", "variables", "complaint"),
    [
        (
            MANAGER,
            {"MANAGER_MQTT_QOS": "3"},
            "MANAGER_MQTT_QOS: '3' is out of range; write a number from 0 to 2",
        ),
        (MANAGER, {"MANAGER_HTTP_PORT": "70000"}, "MANAGER_HTTP_PORT: '70000' is out of range"),
        (MANAGER, {"MANAGER_MQTT_TIMEOUT": "soon"}, "MANAGER_MQTT_TIMEOUT: 'soon' is no duration"),
        (MANAGER, {"MANAGER_LOG_LEVEL": "loud"}, "MANAGER_LOG_LEVEL: 'loud' is none of: debug, info, warn"),
        (
            MANAGER,
            {"MANAGER_STORAGE_TYPE": "badger"},
            "badger is not available in this version, which has memory, sqlite, postgres; leave it out",
        ),
        (
            MANAGER,
            {"MANAGER_STORAGE_TYPE": "memory", "MANAGER_DURABILITY": "full"},
            "MANAGER_DURABILITY: has no effect with MANAGER_STORAGE_TYPE=memory",
        ),
        (
            MANAGER,
            {"MANAGER_STORAGE_TYPE": "postgres", "MANAGER_DURABILITY": "normal"},
            "MANAGER_DURABILITY: has no effect with MANAGER_STORAGE_TYPE=postgres; leave it out",
        ),
        (
            MANAGER,
            {"MANAGER_POSTGRES_HOST": "db.test"},
            "MANAGER_POSTGRES_HOST: has no effect with MANAGER_STORAGE_TYPE=sqlite; set",
        ),
        (
            MANAGER,
            {"MANAGER_STORAGE_TYPE": "postgres", "MANAGER_POSTGRES_CA_CERT": __file__},
            "MANAGER_POSTGRES_CA_CERT: has no effect with MANAGER_POSTGRES_SSLMODE=disable; set",
        ),
        (
            MANAGER,
            {"MANAGER_STORAGE_TYPE": "postgres", "MANAGER_POSTGRES_SSLMODE": "always"},
            "MANAGER_POSTGRES_SSLMODE: 'always' is none of: disable, prefer, require",
        ),
        (MANAGER, {"MANAGER_STORAGE_TYPE": "mysql"}, "MANAGER_STORAGE_TYPE: 'mysql' is none of"),
        (MANAGER, {"MANAGER_FORGET_AFTER": "10s"}, "MANAGER_FORGET_AFTER: has to be longer"),
        (MANAGER, {"MANAGER_HTTP_SERVER_CERT": __file__}, "MANAGER_HTTP_SERVER_KEY: give both"),
        (MANAGER, {"MANAGER_HTTP_SERVER_KEY": "/no.pem"}, "MANAGER_HTTP_SERVER_KEY: '/no.pem' is no file"),
        (MANAGER, {"JOB_EXECUTION_MODE": "fast"}, "JOB_EXECUTION_MODE: 'fast' is none of: parallel"),
        (MANAGER, {"MANAGER_MQTT_TLS_CLIENT_KEY": __file__}, "MANAGER_MQTT_TLS_CLIENT_KEY: give both"),
        (
            MANAGER,
            {"MANAGER_MQTT_TLS_CA_CERT": __file__},
            "MANAGER_MQTT_ADDRESS: tcp://localhost:1883 is not TLS",
        ),
        (MANAGER, {"MANAGER_ENTITY_ID": "a/b"}, "MANAGER_ENTITY_ID: 'a/b' holds"),
        (
            PROPLET,
            {"PROPLET_LIVELINESS_INTERVAL": "0"},
            "PROPLET_LIVELINESS_INTERVAL: '0' has to be longer than 0",
        ),
        (PROPLET, {"PROPLET_ENABLE_MONITORING": "maybe"}, "PROPLET_ENABLE_MONITORING: 'maybe' is neither"),
        (
            PROPLET,
            {"PROPLET_MQTT_KEEP_ALIVE": "500ms"},
            "PROPLET_MQTT_KEEP_ALIVE: '500ms' has to be whole seconds",
        ),
        (
            MANAGER,
            {"MANAGER_HTTP_CLIENT_CA_CERTS": "ca"},
            "MANAGER_HTTP_CLIENT_CA_CERTS: the CAs of clients are named by MANAGER_HTTP_SERVER_CA_CERTS here",
        ),
        (
            MANAGER,
            {"MANAGER_HTTP_SERVER_CA_CERTS": __file__},
            "MANAGER_HTTP_SERVER_CA_CERTS: has no effect without HTTPS; give MANAGER_HTTP_SERVER_CERT",
        ),
        (
            MANAGER,
            HTTPS | {"MANAGER_HTTP_SERVER_CA_CERTS": __file__, "MANAGER_HTTP_CLIENT_AUTH": "none"},
            "MANAGER_HTTP_SERVER_CA_CERTS: has no effect with MANAGER_HTTP_CLIENT_AUTH=none",
        ),
        (
            MANAGER,
            {"MANAGER_CERTIFICATE_ROLES": "ci=viewer"},
            "MANAGER_CERTIFICATE_ROLES: has no effect without MANAGER_AUTH=certificates",
        ),
        (
            MANAGER,
            {"MANAGER_AUTH": "certificates"},
            "MANAGER_AUTH: certificates alone give no role; say in MANAGER_CERTIFICATE_ROLES",
        ),
        (
            MANAGER,
            {"MANAGER_AUTH": "tokens,certificates", "MANAGER_CERTIFICATE_ROLES": "ci=viewer"},
            "MANAGER_AUTH: certificates need MANAGER_HTTP_SERVER_CA_CERTS",
        ),
        *(
            (MANAGER, {"MANAGER_CERTIFICATE_ROLES": roles}, complaint)
            for roles, complaint in (
                (
                    "ci",
                    "holds 'ci'; write NAME=ROLE or NAME=ROLE@NAMESPACE, with a role of viewer, submitter",
                ),
                ("ci=king", "holds 'ci=king'; write NAME=ROLE"),
                ("=viewer", "holds '=viewer'; write NAME=ROLE"),
                ("ci=viewer@", "holds 'ci=viewer@'; write NAME=ROLE"),
                ("ci=viewer,ci=admin", "names ci twice; leave one of them out"),
            )
        ),
        (
            MANAGER,
            HTTPS | {"MANAGER_HTTP_CLIENT_AUTH": "optional"},
            "MANAGER_HTTP_CLIENT_AUTH: optional needs MANAGER_HTTP_SERVER_CA_CERTS",
        ),
        (
            MANAGER,
            {"MANAGER_PLUGIN_DIR": "/plugins"},
            "MANAGER_PLUGIN_DIR: there are no plugins in this version",
        ),
        (
            PROPLET,
            {"PROPLET_PLUGIN_DIR": "/plugins"},
            "PROPLET_PLUGIN_DIR: there are no plugins in this version",
        ),
        (PROPLET, {"PROPLET_SLOTS": "0"}, "PROPLET_SLOTS: '0' is out of range"),
        (
            MANAGER,
            {"MANAGER_HTTP_SERVER_MAX_HEADER_BYTES": "100"},
            "MANAGER_HTTP_SERVER_MAX_HEADER_BYTES: '100' is too small; write 1KiB or more",
        ),
        (PROPLET, {"PROPLET_TASK_MEMORY": "0"}, "PROPLET_TASK_MEMORY: '0' is too small; write 64KiB or more"),
        (
            PROPLET,
            {"PROPLET_TASK_MEMORY_MAX": "0"},
            "PROPLET_TASK_MEMORY_MAX: '0' is too small; write 64KiB or more",
        ),
        (PROPLET, {"PROPLET_TASK_OUTPUT": "0"}, "PROPLET_TASK_OUTPUT: '0' is too small; write 1 or more"),
        (PROXY, {"PROXY_CHUNK_SIZE": "1000000"}, "PROXY_CHUNK_SIZE: 1000000 makes messages of"),
        (PROXY, {"PROXY_AUTHENTICATE": "true"}, "PROXY_AUTHENTICATE: it is on, but there are no credentials"),
        (PROXY, {"PROXY_REGISTRY_TOKEN": "t"}, "PROXY_REGISTRY_URL: there are credentials, but not for whom"),
        (
            PROXY,
            {"PROXY_REGISTRY_URL": "registry.example", "PROXY_REGISTRY_USERNAME": "u"},
            "user name and password go together",
        ),
    ],
)
def test_wrong_values_are_told_by_name(program, variables, complaint):
    with pytest.raises(BadSettings) as told:
        settings(program, identity(program, **variables))
    assert complaint in str(told.value)


def test_a_secret_is_in_no_complaint():
    with pytest.raises(BadSettings) as told:
        settings(MANAGER, identity(MANAGER, MANAGER_API_KEY="hush\x00"))
    assert "MANAGER_API_KEY" in str(told.value)
    assert "hush" not in str(told.value)


def test_missing_credentials_are_named_with_the_way_to_get_them():
    with pytest.raises(BadSettings) as told:
        settings(MANAGER, {"MANAGER_TENANT_ID": "t"})
    text = str(told.value)
    assert "entity_id (MANAGER_ENTITY_ID), api_key (MANAGER_API_KEY)" in text
    assert "MANAGER_TENANT_ID" not in text
    assert "propeller provision" in text


def test_several_proplets_in_a_file_are_named_when_none_is_chosen():
    write(
        "".join(
            f'[proplet{n}]\ntenant_id="t"\nchannel_id="c"\nentity_id="p{n}"\napi_key="k"\n' for n in (1, 2)
        )
    )
    with pytest.raises(
        BadSettings, match=r"has no section \[proplet\], but \[proplet1\], \[proplet2\]; choose one"
    ):
        settings(PROPLET, {})
    assert settings(PROPLET, {"PROPLET_CONFIG_SECTION": "proplet2"}).mqtt.entity_id == "p2"
    assert settings(PROPLET, {}, section="proplet1").mqtt.entity_id == "p1"
    assert settings(PROPLET).mqtt.entity_id == "entity_id", "who needs no file is not asked about it"
    with pytest.raises(BadSettings, match=r"no section \[proplet3\]; it has: proplet1, proplet2"):
        settings(PROPLET, {}, section="proplet3")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[manager", "is no TOML"),
        ("manager = 1", "has to be a section"),
        (
            "[manager]\nmqtt_adress = 'x'",
            r"config.toml \[manager\]: mqtt_adress is no setting of the manager; did you mean",
        ),
        ("[manager]\nmqtt_qos = 7", r"config.toml \[manager\] mqtt_qos: 7 is out of range"),
        ("[manager]\nmqtt_qos = 1979-05-27", "is of a kind that no setting has"),
        ("[manager]\nhttp_host = 1", "http_host: 1 has to be text"),
    ],
)
def test_a_wrong_file_is_told_with_its_name_and_the_key(text, complaint):
    write(text)
    with pytest.raises(BadSettings, match=complaint):
        settings(MANAGER)


def test_a_file_that_was_named_has_to_be_there():
    with pytest.raises(BadSettings, match=r"no\.toml: there is no such file"):
        settings(MANAGER, file=Path("no.toml"))
    with pytest.raises(BadSettings, match=r"no\.toml: there is no such file"):
        settings(PROPLET, identity(PROPLET, PROPLET_CONFIG_FILE="no.toml"))


def test_all_kinds_of_toml_values():
    write("[proplet]\nslots = 8\nenable_monitoring = false\ntags = ['gpu', 'arm']\nmetrics_interval = 2.5\n")
    made = settings(PROPLET)
    assert (
        made.slots,
        made.proplet.enable_monitoring,
        made.proplet.tags,
        made.proplet.metrics_interval_s,
    ) == (
        8,
        False,
        ("gpu", "arm"),
        2.5,
    )


def test_the_data_lies_beside_the_database_that_was_named():
    environ = identity(MANAGER, MANAGER_SQLITE_PATH="/var/lib/fleet/manager.db")
    assert settings(MANAGER, environ).data_dir == Path("/var/lib/fleet")
    assert settings(MANAGER, environ | {"MANAGER_DATA_DIR": "/data"}).data_dir == Path("/data")


def test_tls():
    environ = identity(MANAGER, MANAGER_MQTT_ADDRESS="ssl://broker", MANAGER_MQTT_TLS_CA_CERT=__file__)
    assert settings(MANAGER, environ).mqtt.tls.ca_cert == Path(__file__)


def test_credentials_of_one_registry():
    environ = identity(
        PROXY,
        PROXY_REGISTRY_URL="registry.example",
        PROXY_REGISTRY_USERNAME="ada",
        PROXY_REGISTRY_PASSWORD="pw",
        PROXY_REGISTRY_PLAIN_HTTP="localhost:5000",
    )
    made = settings(PROXY, environ).registry
    assert made.logins == (Login(host="registry.example", username="ada", password="pw"),)
    assert made.plain_http == ("localhost:5000",)
    assert settings(PROXY, environ | {"PROXY_AUTHENTICATE": "false"}).registry.logins == ()


def test_credentials_of_several_registries():
    write(
        '["registry.example"]\nusername = "ada"\npassword = "pw"\n["Local:5000"]\ntoken = "t"\n',
        "registries.toml",
    )
    environ = identity(PROPLET, PROPLET_REGISTRIES_FILE="registries.toml")
    both = (
        Login(host="registry.example", username="ada", password="pw"),
        Login(host="local:5000", token="t"),
    )
    assert settings(PROPLET, environ).proplet.registry.logins == both
    mine = {"PROPLET_REGISTRY_URL": "registry.example", "PROPLET_REGISTRY_TOKEN": "mine"}
    logins = settings(PROPLET, environ | mine).proplet.registry.logins
    assert logins == (Login(host="registry.example", token="mine"), both[1]), (
        "what is said more directly counts"
    )


def test_credentials_as_docker_writes_them():
    auths = {
        "https://index.docker.io/v1/": {"auth": "YWRhOnB3OjE="},
        "registry.example": {"identitytoken": "t"},
    }
    write(json.dumps({"auths": auths, "credsStore": ""}), "docker.json")
    logins = settings(PROXY, identity(PROXY, PROXY_REGISTRIES_FILE="docker.json")).registry.logins
    assert logins == (
        Login(host="docker.io", username="ada", password="pw:1"),
        Login(host="registry.example", token="t"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "[",
        '{"auths": 1}',
        'host = "x"',
        '["registry.example"]\nuser = "x"',
        '["registry.example"]',
        '["a b"]\ntoken = "t"',
        "{",
    ],
)
def test_wrong_credentials_are_told_with_the_file(text):
    write(text, "registries")
    with pytest.raises(BadSettings, match=r"^registries: "):
        settings(PROXY, identity(PROXY, PROXY_REGISTRIES_FILE="registries"))


def test_what_looks_like_ours_and_does_nothing_is_told():
    environ = identity(MANAGER, MANAGER_HTTP_PROT="1", MANAGER_OTEL_URL="x", MANAGER_SERVICE_HOST="10.0.0.1")
    assert resolve(MANAGER, environ).remarks == (
        "MANAGER_HTTP_PROT has no effect in this version; did you mean MANAGER_HTTP_PORT?",
        "MANAGER_OTEL_URL has no effect in this version",
    )


def test_a_file_that_everybody_may_read_is_told():
    write("[manager]\n").chmod(0o644)
    assert resolve(MANAGER, {}).remarks == (
        "config.toml holds keys, and everybody on this machine may read it; do: chmod 600 config.toml",
    )


def test_what_is_not_checked_is_told():
    environ = {"PROXY_HTTP_TLS_INSECURE_SKIP_VERIFY": "1", "PROXY_MQTT_TLS_INSECURE_SKIP_VERIFY": "no"}
    (remark,) = resolve(PROXY, environ).remarks
    assert remark.startswith("PROXY_HTTP_TLS_INSECURE_SKIP_VERIFY: certificates are not checked")
    assert (
        resolve(MANAGER, {}, flags={"mqtt_tls_insecure_skip_verify": True})
        .remarks[0]
        .startswith("--mqtt-tls-insecure-skip-verify: certificates are not checked")
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_what_is_shown_can_be_read_again_and_holds_no_secret(program):
    environ = identity(
        program, **{f"{program.prefix}API_KEY": "hush", f"{program.prefix}MQTT_TIMEOUT": "1m1.5s"}
    )
    before = resolve(program, environ)
    text = shown(before)
    assert "hush" not in text
    assert f'tenant_id = "tenant_id"  # {program.prefix}TENANT_ID' in text
    assert "mqtt_qos = 2  # default" in text
    write(text)
    after = resolve(program, {})
    assert {**after.values, "api_key": "hush"} == before.values


def test_all_that_is_shown_of_the_manager_may_stand_in_a_file():
    environ = identity(MANAGER)
    write(shown(resolve(MANAGER, environ)))
    assert manager_settings(resolve(MANAGER, {}), environ).postgres is None
    text = shown(resolve(MANAGER, environ | {"MANAGER_POSTGRES_PASS": "hush"}))
    assert 'postgres_pass = "********"  # MANAGER_POSTGRES_PASS' in text


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_settings_do_not_change(program):
    with pytest.raises(AttributeError):
        settings(program).mqtt = None
    assert msgspec.structs.replace(settings(program), log_level="warn").log_level == "warn"
