"""Every setting of every program, and every flag of the programs, has an effect.

Each has an entry here, and one without fails. An entry looks at the part that takes the value (``Here``), or
names the test that sees the effect, and a word that stands in that test (``There``). That a value is read is
no effect: for each setting, what the program is put together from has to differ from the default too.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from tests.config.effects_helpers import commands, flags_of, source_of
from typer.testing import CliRunner

from propeller.assembly import parts_of
from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.logs import log_as_json
from propeller.assembly.proplet_parts import _remote_parts
from propeller.assembly.serving import listen
from propeller.cli.main import app
from propeller.cli.up import _AT_BROKER, _OF_OTHERS
from propeller.config.definitions import IDENTITY, MANAGER, PROGRAMS, PROPLET, PROXY
from propeller.config.programs import manager_settings, proxy_settings, remote_proplet_settings
from propeller.config.sources import resolve
from propeller.core.sandbox import Dir, Grants, Limits, Sandbox, refusal
from propeller.manager.mqtt_fleet import MqttFleet
from propeller.manager.standing import Standing
from propeller.proplet.host import describe
from propeller.proplet.sandbox_policy import grants_of
from propeller.wire.fleet.from_manager import Start

ROOT = Path(__file__).parent.parent.parent
MAKERS = {MANAGER: manager_settings, PROPLET: remote_proplet_settings, PROXY: proxy_settings}


class Here(NamedTuple):
    """What ``look`` finds at the part that takes the value; it gets all that is built."""

    raw: str
    look: Callable[[Any], Any]
    wanted: Any
    #: Variables that have to be set besides, without their prefix.
    more: Mapping[str, str] = MappingProxyType({})


class There(NamedTuple):
    """The test that sees the effect, and a word that stands in it."""

    raw: str
    test: str
    word: str
    more: Mapping[str, str] = MappingProxyType({})


class Built(NamedTuple):
    settings: Any
    #: What the program is put together from.
    parts: Any


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file.pem", "key.pem"):
        (tmp_path / name).write_text("")
    (tmp_path / "logins.toml").write_text('["registry.example"]\ntoken = "t"\n')
    (tmp_path / "there").mkdir()


def environ_of(program, **variables):
    given = {key.upper(): key for key in IDENTITY} | variables
    return {f"{program.prefix}{name}": value for name, value in given.items()} | {"HOME": str(Path.cwd())}


def build(program, environ):
    settings = MAKERS[program](resolve(program, environ), environ)
    if program is MANAGER:
        return Built(settings, (settings.log_level, parts_of(settings)))
    if program is PROPLET:
        return Built(settings, (settings.log_level, settings.mqtt, _remote_parts(settings)))
    fetching = fetcher_settings(settings.registry)
    return Built(settings, (settings.log_level, settings.mqtt, settings.http, fetching, settings.chunk_size))


# -- parts that are looked at here -------------------------------------------------------------------------


def logs_from(made):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_as_json(made.settings.log_level)
        return logging.getLevelName(root.level)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def listens_at(made):
    listeners = listen(made.settings.http.host, made.settings.http.port)
    found = listeners[0].getsockname()
    for listener in listeners:
        listener.close()
    return found


def hears_of_a_and_b(made):
    parts = made.parts[1]
    fleet = MqttFleet(None, parts.mqtt, Standing("m", 1, "here"), allow_foreign=parts.allow_foreign)
    return [fleet._may_be_foreign(name) for name in ("a", "b")]


def said(key):
    return lambda made: describe(made.parts[2].self_description).get(key)


def refuses(**asked):
    """What a proplet says to a task that asks for this."""
    return lambda made: refusal(made.settings.proplet.sandbox_policy.offer, Sandbox(**asked))


def refuses_what_is_there(made):
    asked = Dir(host=str(Path.cwd() / "there"), guest="/there")
    return refuses(grants=Grants(dirs=(asked,)))(made)


def writable(made):
    granted = grants_of(made.settings.proplet.sandbox_policy, Start(id="t", name="f")) or Grants()
    return [one.mode for one in granted.dirs]


def limit(name):
    return lambda made: getattr(made.settings.proplet.sandbox_policy.limits, name)


LINKS = "tests/mqtt/test_link.py::"
SLOW = "tests/api/test_slow_clients.py::"
GATE = "tests/api/test_gate.py::"
HTTPS = "tests/e2e/fleet/test_https.py::test_who_asks_checks_the_certificate_unless_he_says_not_to"
WEB = "tests/registry/test_addresses_on_the_web.py::"
IMAGES = "tests/registry/test_images.py::"
RUNS = "tests/runtime/runner/test_limits.py::"
LOGINS = f"{IMAGES}test_shows_each_registry_its_own_credentials"
OF_CONNECT = "tests/mqtt/test_terms.py::test_what_a_link_says_of_itself_when_it_connects"
SSL = {"MQTT_ADDRESS": "ssl://broker"}
REGISTRY = {"REGISTRY_URL": "registry.example"}

BROKER = {
    "log_level": Here("warn", logs_from, "WARNING"),
    "mqtt_address": There("tcp://far", f"{LINKS}test_what_was_not_acknowledged_is_sent_again", "address="),
    "mqtt_qos": There(
        "1", f"{LINKS}test_messages_arrive_in_order_with_the_quality_of_the_settings", "qos=qos"
    ),
    "mqtt_timeout": There("5s", f"{LINKS}test_a_broker_that_does_not_answer_is_tried_again", "timeout_s=0.1"),
    "mqtt_keep_alive": There("7s", OF_CONNECT, "keep_alive_s"),
    "mqtt_max_packet_size": There(
        "2000000",
        "tests/mqtt/test_link_limits.py::test_what_is_larger_than_the_broker_announces_is_not_sent",
        "max_packet",
    ),
    "mqtt_inflight": There("3", f"{LINKS}test_no_more_is_on_its_way_than_the_settings_allow", "inflight=3"),
    "mqtt_tls_ca_cert": There(
        "file.pem", f"{LINKS}test_tls_with_a_certificate_authority_of_ones_own", "ca_cert=", SSL
    ),
    "mqtt_tls_client_cert": There(
        "file.pem", f"{LINKS}test_mutual_tls", "client_cert", SSL | {"MQTT_TLS_CLIENT_KEY": "key.pem"}
    ),
    "mqtt_tls_client_key": There(
        "file.pem", f"{LINKS}test_mutual_tls", "client_key", SSL | {"MQTT_TLS_CLIENT_CERT": "key.pem"}
    ),
    "mqtt_tls_insecure_skip_verify": There(
        "true", f"{LINKS}test_tls_with_the_wrong_authority_is_refused", "insecure_skip_verify=True", SSL
    ),
    "tenant_id": There("else", OF_CONNECT, "tenant_id"),
    "channel_id": There("else", OF_CONNECT, "channel_id"),
    "entity_id": There("else", OF_CONNECT, "entity_id"),
    "api_key": There("else", OF_CONNECT, "api_key"),
}
SERVER = {
    "http_host": Here("127.0.0.2", lambda made: listens_at(made)[0], "127.0.0.2", {"HTTP_PORT": "0"}),
    "http_port": Here(
        "0", lambda made: listens_at(made)[1] not in (0, 7070, 9191), True, {"HTTP_HOST": "127.0.0.1"}
    ),
}
IMAGE_SOURCES = {
    "registry_url": There("registry.example", LOGINS, "credentials=", {"REGISTRY_TOKEN": "t"}),
    "registry_username": There("ada", LOGINS, "credentials=", REGISTRY | {"REGISTRY_PASSWORD": "pw"}),
    "registry_password": There("pw", LOGINS, "credentials=", REGISTRY | {"REGISTRY_USERNAME": "ada"}),
    "registry_token": There(
        "t",
        "tests/registry/test_authorization.py::test_shows_a_token_of_the_settings_itself",
        "token",
        REGISTRY,
    ),
    "registries_file": There("logins.toml", LOGINS, "credentials="),
    "registry_plain_http": There(
        "registry.example",
        "tests/e2e/local/test_proplet_settings.py::test_proplets_beside_their_manager_have_their_settings",
        "PROPLET_REGISTRY_PLAIN_HTTP",
    ),
    "allow_private_addresses": There("true", f"{WEB}test_fetches_from_an_address", "OPEN"),
    "http_tls_ca_cert": There(
        "file.pem", f"{WEB}test_tls_asks_for_the_name_though_the_address_is_connected_to", "ca_cert"
    ),
    "http_tls_insecure_skip_verify": There(
        "true", f"{WEB}test_an_unknown_certificate_is_refused_unless_told_otherwise", "insecure_skip_verify"
    ),
}
CACHED = There("1MiB", f"{IMAGES}test_keeps_no_more_than_the_bound", "cache_bytes_max")
RULES = "tests/core/test_rules_"
OF_MANAGER = {
    "http_names": There("a.test", f"{GATE}test_other_names_can_be_given", "names="),
    "http_server_cert": There("file.pem", HTTPS, "manager", {"HTTP_SERVER_KEY": "key.pem"}),
    "http_server_key": There("file.pem", HTTPS, "manager", {"HTTP_SERVER_CERT": "key.pem"}),
    "http_server_read_header_timeout": There(
        "1s", f"{SLOW}test_a_head_that_does_not_come_to_an_end", "limits=HURRIED"
    ),
    "http_server_read_timeout": There("1s", f"{SLOW}test_a_body_that_drips", "body_silence_s_max"),
    "http_server_write_timeout": There(
        "1s", f"{SLOW}test_an_answer_that_nobody_reads", "answer_silence_s_max"
    ),
    "http_server_idle_timeout": There("1s", f"{SLOW}test_a_connection_that_asks_nothing_more", "idle_s_max"),
    "http_server_max_header_bytes": There(
        "2000", f"{SLOW}test_a_head_may_be_as_large_as_is_said", "head_bytes_max"
    ),
    "data_dir": Here("/far", lambda made: made.parts[1].data_dir, Path("/far")),
    "sqlite_path": Here("/far/p.db", lambda made: made.parts[1].data_dir, Path("/far")),
    "durability": There(
        "normal",
        "tests/store/test_damage.py::test_without_the_wait_for_the_disk_a_power_cut_may_take_the_end",
        "durability",
    ),
    "job_execution_mode": There(
        "parallel", f"{RULES}jobs.py::test_a_job_that_names_no_mode_takes_the_managers", "job_mode"
    ),
    "liveness": There(
        "5s",
        "tests/e2e/fleet/test_silence.py::test_a_manager_that_stands_still_for_longer_than_a_lease_ends_none",
        "LIVENESS_S",
    ),
    "forget_after": There(
        "40s", f"{RULES}fleet.py::test_a_proplet_that_was_not_heard_of_for_long_is_forgotten", "forget_s"
    ),
    "keep_ended": There(
        "1h", "tests/manager/test_expiry.py::test_what_ended_goes_and_what_runs_stays", "keep_ended"
    ),
    "losses_max": There(
        "7", f"{RULES}proplets.py::test_a_lost_task_is_run_again_but_not_for_ever", "losses_max"
    ),
    "foreign_lease": There(
        "7s",
        f"{RULES}fleet.py::test_a_foreign_proplet_that_says_nothing_loses_the_task_in_the_end",
        "foreign_lease",
    ),
    "allow_foreign": Here("a", hears_of_a_and_b, [True, False]),
    "placement": There("least-loaded", f"{RULES}fleet.py::test_least_loaded_fills_up_who_has_less", "LEAST"),
}
AGENT = "tests/proplet/test_agent.py::"
SAMPLING = "tests/proplet/test_sampling.py::"
OF_PROPLET = {
    "data_dir": Here("/far", lambda made: made.parts[2].directory, Path("/far")),
    "slots": There("2", f"{AGENT}test_it_says_who_it_is_and_runs_what_it_is_told", "slots="),
    "fetch": There(
        "direct",
        "tests/e2e/fleet/test_images.py::test_a_proplet_with_access_fetches_for_itself",
        "PROPLET_FETCH",
    ),
    "cache_bytes": There(
        "1MiB",
        "tests/proplet/test_module_store.py::test_those_used_longest_ago_make_room_but_not_those_in_use",
        "bytes_max",
    ),
    "liveliness_interval": There("1s", f"{AGENT}test_signs_of_life_come_as_often_as_is_set", "heartbeat_s"),
    "metrics_interval": There("1s", f"{SAMPLING}test_the_process_sends_both", "interval_s"),
    "enable_monitoring": There("false", f"{SAMPLING}test_it_can_be_switched_off", "enabled=False"),
    "description": Here("in the cellar", said("description"), "in the cellar"),
    "tags": Here("gpu,eu", said("tags"), ["gpu", "eu"]),
    "location": Here("here", said("location"), "here"),
    "collect_system_info": Here("false", said("os"), ""),
    "external_wasm_runtime": There(
        "true", f"{AGENT}test_guests_run_in_the_program_that_its_owner_has_named", "external_runtime"
    ),
    "kbs_uri": There(
        "http://kbs", "tests/proplet/test_encrypted.py::test_a_key_broker_that_can_not_be_had", "kbs"
    ),
    "dirs": Here("{there}", writable, ["rw"]),
    "allow_dirs": Here("{there}:ro", refuses_what_is_there, ""),
    "allow_http": Here("a.test", refuses(grants=Grants(http=("a.test",))), ""),
    "http_enabled": Here("true", refuses(grants=Grants(listen=True)), ""),
    "http_proxy_port": There(
        "9000",
        "tests/proplet/test_guest_runs.py::test_a_server_that_names_no_port_begins_at_the_one_that_is_set",
        "http_port",
    ),
    "task_timeout": Here("7s", limit("timeout_ns"), 7 * 10**9),
    "task_timeout_max": Here(
        "7s", refuses(timeout_ns=8 * 10**9), "timeout: 8 s is more than the 7 s allowed"
    ),
    "task_memory": Here("1MiB", limit("memory_bytes"), 2**20),
    "task_memory_max": Here(
        "600MiB",
        refuses(limits=Limits(memory=2**30)),
        "limits.memory: 1073741824 is more than the 629145600 that are allowed",
    ),
    "task_output": Here("1KiB", limit("output_bytes"), 1024),
    "compile_timeout": There("7s", f"{RUNS}test_a_large_module_may_be_compiled_for_longer", "compile_ns"),
    "manager_k8s_namespace": There(
        "else", f"{AGENT}test_it_says_who_it_is_and_runs_what_it_is_told", "namespace"
    ),
}
OF_PROXY = {
    "chunk_size": There(
        "1000", "tests/proxy/test_proxy.py::test_pieces_are_as_large_as_is_set", "chunk_bytes"
    ),
    "authenticate": Here(
        "false", lambda made: made.parts[3].credentials, {}, REGISTRY | {"REGISTRY_TOKEN": "t"}
    ),
    "cache_bytes": CACHED,
    "cache_dir": There(
        "/far", f"{IMAGES}test_keeps_modules_by_digest_and_notices_when_the_disk_does_not", "cache_dir"
    ),
}
#: Settings that take one value only; the test shows that others are refused.
ONE_VALUE = {
    (MANAGER, "storage_type"): ("tests/config/test_settings.py::test_wrong_values_are_told_by_name", "badger")
}
ENTRIES = {
    MANAGER: BROKER | SERVER | OF_MANAGER,
    PROPLET: BROKER | IMAGE_SOURCES | OF_PROPLET,
    PROXY: BROKER | SERVER | IMAGE_SOURCES | OF_PROXY,
}
#: One without the other is refused.
PAIRED = {
    *(
        "registry_url",
        "registry_username",
        "registry_password",
        "mqtt_tls_client_cert",
        "mqtt_tls_client_key",
    ),
    *("http_server_cert", "http_server_key"),
}
CASES = [(program, setting) for program in PROGRAMS for setting in program.settings]


def test_each_setting_has_an_entry_and_each_entry_a_setting():
    for program in PROGRAMS:
        keys = {setting.key for setting in program.settings}
        refused = {key for one, key in ONE_VALUE if one is program}
        assert keys == {*ENTRIES[program], *refused}, f"{program.name}: say here where its effect is seen"
    for node_id, word in ONE_VALUE.values():
        assert word in source_of(node_id)


@pytest.mark.parametrize(
    ("program", "setting"), CASES, ids=lambda value: getattr(value, "name", getattr(value, "key", ""))
)
def test_each_setting_reaches_its_part_and_has_an_effect_there(program, setting):
    if (program, setting.key) in ONE_VALUE:
        return
    entry = ENTRIES[program][setting.key]
    before = environ_of(program, **entry.more)
    after = before | {program.variables(setting)[0]: entry.raw.format(there=Path.cwd() / "there")}
    if setting.key in PAIRED:
        before = environ_of(program)
    assert build(program, before).parts != build(program, after).parts
    if isinstance(entry, Here):
        assert entry.look(build(program, after)) == entry.wanted
        assert entry.look(build(program, before)) != entry.wanted
    else:
        assert entry.word in source_of(entry.test), entry


# -- flags ---------------------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch):
    """What each program is begun with, in place of beginning it."""
    found = []
    for name in ("up", "manager", "proplet", "proxy"):
        monkeypatch.setattr(f"propeller.assembly.{name}", lambda given: found.append(given) or 0)

    def begin(*words, **variables):
        done = CliRunner(env=variables).invoke(app, words)
        assert done.exit_code == 0, done.output
        return found.pop(), done.stderr

    return begin


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_flag_of_a_program_does_what_its_variable_does(program, begun):
    (command,) = (found for path, found in commands() if path == (program.name,))
    wanted = {setting.flag for setting in program.settings if not setting.is_secret}
    assert flags_of(command) == wanted | {"--config", "--section", "--show-config"}
    for setting in program.settings:
        if setting.is_secret or (program, setting.key) in ONE_VALUE:
            continue
        entry = ENTRIES[program][setting.key]
        raw = entry.raw.format(there=Path.cwd() / "there")
        environ = environ_of(program, **entry.more)
        words = [setting.flag, raw]
        if setting.is_switch:
            words = [setting.flag if raw == "true" else setting.flag.replace("--", "--no-", 1)]
        by_flag, _ = begun(program.name, *words, **environ)
        by_variable, _ = begun(program.name, **environ | {program.variables(setting)[0]: raw})
        assert by_flag == by_variable, setting.flag


#: Flags of ``propeller up``, with the variable that does the same where there is one, and a value.
UP = {
    "--host": ("MANAGER_HTTP_HOST", "127.0.0.2"),
    "--port": ("MANAGER_HTTP_PORT", "7"),
    "--http-names": ("MANAGER_HTTP_NAMES", "a.test"),
    "--data-dir": ("MANAGER_DATA_DIR", "/far"),
    "--proplets": ("", "3"),
    "--concurrency": ("PROPLET_SLOTS", "99"),
    "--durability": ("MANAGER_DURABILITY", "normal"),
    "--max-losses": ("MANAGER_LOSSES_MAX", "9"),
    "--job-mode": ("JOB_EXECUTION_MODE", "parallel"),
    "--keep-ended": ("MANAGER_KEEP_ENDED", "1h"),
    "--mqtt": ("", "tcp://far"),
    "--allow-dirs": ("PROPLET_ALLOW_DIRS", "{there}"),
    "--allow-http": ("PROPLET_ALLOW_HTTP", "a.test"),
    "--compile-timeout": ("PROPLET_COMPILE_TIMEOUT", "7s"),
    "--http-enabled": ("PROPLET_HTTP_ENABLED", "true"),
    "--config": ("MANAGER_CONFIG_FILE", "up.toml"),
}


def test_each_flag_of_up_changes_what_is_begun_as_its_variable_does(begun):
    (command,) = (found for path, found in commands() if path == ("up",))
    assert flags_of(command) == {*UP}
    Path("up.toml").write_text("[manager]\nlosses_max = 8\n")
    identified = environ_of(MANAGER)
    usual, _ = begun("up", **identified)
    for flag, (variable, raw) in UP.items():
        value = raw.format(there=Path.cwd() / "there")
        by_flag, _ = begun("up", *([flag] if value == "true" else [flag, value]), **identified)
        assert by_flag != usual, flag
        if variable:
            by_variable, _ = begun("up", **identified, **{variable: value})
            assert by_variable == by_flag, flag


def is_idle(told, variable):
    """True if the command says of this variable that it has no effect."""
    said = [line.partition(" no effect here: ")[0] for line in told.splitlines() if "no effect here" in line]
    return any(variable in line.replace(",", "").split() for line in said)


@pytest.mark.parametrize("program", [MANAGER, PROPLET], ids=lambda program: program.name)
def test_each_setting_holds_for_up_too_or_says_that_it_does_not(program, begun):
    for setting in program.settings:
        if (program, setting.key) in ONE_VALUE:
            continue
        entry = ENTRIES[program][setting.key]
        environ = environ_of(MANAGER)
        more = {f"{program.prefix}{name}": value for name, value in entry.more.items()}
        variable = program.variables(setting)[0]
        raw = entry.raw.format(there=Path.cwd() / "there")
        seen = []
        for words in (["up"], ["up", "--mqtt", "ssl://broker"]):
            usual, _ = begun(*words, **environ)
            changed, told = begun(*words, **environ | more | {variable: raw})
            seen.append((changed != usual, is_idle(told, variable)))
        changes, idle = zip(*seen, strict=True)
        if setting.key in _OF_OTHERS[program]:
            assert idle == (True, True), setting.key
        elif program is MANAGER and setting.key in _AT_BROKER:
            assert idle == (True, False), setting.key
            assert changes[1] is (setting.key != "mqtt_address"), "which the flag says"
        else:
            assert (changes, idle) == ((True, True), (False, False)), setting.key
