"""Where each setting of each program has its effect: at a part that is looked at, or in a test.

Each has an entry. It looks at the part that takes the value (``Here``), or says what the part has then, and
names the test that sees the effect (``There``).
"""

import logging
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.config import signing_entries_helpers as signing
from tests.config.certificate_entries_helpers import OF_CERTIFICATES
from tests.config.entry_helpers import Here, There
from tests.config.secrets_entries_helpers import OF_SECRETS
from tests.config.sign_in_entries_helpers import OF_SIGN_IN

from propeller.assembly import parts_of
from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.logs import log_as_json
from propeller.assembly.proplet_parts import _remote_parts
from propeller.assembly.serving import listen
from propeller.config.definitions import IDENTITY, MANAGER, PROPLET, PROXY
from propeller.config.programs import manager_settings, proxy_settings, remote_proplet_settings
from propeller.config.sources import resolve
from propeller.core.model import JobMode
from propeller.core.policy import Order
from propeller.core.sandbox import Dir, Grants, Limits, Sandbox, refusal
from propeller.manager.mqtt_fleet import MqttFleet
from propeller.manager.standing import Standing
from propeller.proplet.host import describe
from propeller.proplet.sandbox_policy import grants_of
from propeller.registry.settings import Credentials
from propeller.wire.fleet.from_manager import Start

MAKERS = {MANAGER: manager_settings, PROPLET: remote_proplet_settings, PROXY: proxy_settings}


class Built(NamedTuple):
    settings: Any
    #: What the program is put together from, by name.
    parts: Mapping[str, Any]

    def at(self, place):
        name, _, rest = place.partition(".")
        return operator.attrgetter(rest)(self.parts[name]) if rest else self.parts[name]


def environ_of(program, **variables):
    given = {key.upper(): key for key in IDENTITY} | variables
    return {f"{program.prefix}{name}": value for name, value in given.items()} | {"HOME": str(Path.cwd())}


def build(program, environ):
    settings = MAKERS[program](resolve(program, environ), environ)
    parts = {"log_level": settings.log_level, "mqtt": settings.mqtt}
    if program is MANAGER:
        manager = parts_of(settings)
        parts |= {"manager": manager, "mqtt": manager.mqtt, "http": manager.http}
    elif program is PROPLET:
        proplet = _remote_parts(settings)
        parts |= {"proplet": proplet, "registry": proplet.registry}
        parts |= {name: getattr(settings, name) for name in ("manager_key", "proxy_key", "join_token")}
    else:
        parts |= {"http": settings.http, "registry": fetcher_settings(settings.registry)}
        parts |= {"chunk_size": settings.chunk_size}
    return Built(settings, parts)


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
    parts = made.parts["manager"]
    fleet = MqttFleet(None, parts.mqtt, Standing("m", 1, "here"), allow_foreign=parts.allow_foreign)
    return [fleet._may_be_foreign(name) for name in ("a", "b")]


def said(key):
    return lambda made: describe(made.at("proplet.self_description")).get(key)


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
WEB = "tests/registry/test_addresses_on_the_web.py::"
IMAGES = "tests/registry/test_images.py::"
LOGINS = f"{IMAGES}test_shows_each_registry_its_own_credentials"
OF_CONNECT = "tests/mqtt/test_terms.py::test_what_a_link_says_of_itself_when_it_connects"
SSL = {"MQTT_ADDRESS": "ssl://broker"}
REGISTRY = {"REGISTRY_URL": "registry.example"}
ADA = {"registry.example": Credentials(username="ada", password="pw")}
WITH_TOKEN = {"registry.example": Credentials(token="t")}

BROKER = {
    "log_level": Here("warn", logs_from, "WARNING"),
    "mqtt_address": There(
        "tcp://far", {"mqtt.address": "tcp://far"}, f"{LINKS}test_what_was_not_acknowledged_is_sent_again"
    ),
    "mqtt_qos": There(
        "1", {"mqtt.qos": 1}, f"{LINKS}test_messages_arrive_in_order_with_the_quality_of_the_settings"
    ),
    "mqtt_timeout": There(
        "5s", {"mqtt.timeout_s": 5}, f"{LINKS}test_a_broker_that_does_not_answer_is_tried_again"
    ),
    "mqtt_keep_alive": There("7s", {"mqtt.keep_alive_s": 7}, OF_CONNECT),
    "mqtt_max_packet_size": There(
        "2000000",
        {"mqtt.max_packet_bytes": 2_000_000},
        "tests/mqtt/test_link_limits.py::test_what_is_larger_than_the_settings_allow_is_not_sent",
    ),
    "mqtt_inflight": There(
        "3", {"mqtt.inflight": 3}, f"{LINKS}test_no_more_is_on_its_way_than_the_settings_allow"
    ),
    "mqtt_tls_ca_cert": There(
        "file.pem",
        {"mqtt.tls.ca_cert": Path("file.pem")},
        f"{LINKS}test_tls_with_a_certificate_authority_of_ones_own",
        more=SSL,
    ),
    "mqtt_tls_client_cert": There(
        "file.pem",
        {"mqtt.tls.client_cert": Path("file.pem")},
        f"{LINKS}test_mutual_tls",
        more=SSL | {"MQTT_TLS_CLIENT_KEY": "key.pem"},
    ),
    "mqtt_tls_client_key": There(
        "file.pem",
        {"mqtt.tls.client_key": Path("file.pem")},
        f"{LINKS}test_mutual_tls",
        more=SSL | {"MQTT_TLS_CLIENT_CERT": "key.pem"},
    ),
    "mqtt_tls_insecure_skip_verify": There(
        "true",
        {"mqtt.tls.insecure_skip_verify": True},
        f"{LINKS}test_tls_with_the_wrong_authority_is_refused",
        more=SSL,
    ),
    "tenant_id": There("else", {"mqtt.tenant_id": "else"}, OF_CONNECT),
    "channel_id": There("else", {"mqtt.channel_id": "else"}, OF_CONNECT),
    "entity_id": There("else", {"mqtt.entity_id": "else"}, OF_CONNECT),
    "api_key": There("else", {"mqtt.api_key": "else"}, OF_CONNECT),
}
SERVER = {
    "http_host": Here("127.0.0.2", lambda made: listens_at(made)[0], "127.0.0.2", {"HTTP_PORT": "0"}),
    "http_port": Here(
        "0", lambda made: listens_at(made)[1] not in (0, 7070, 9191), True, {"HTTP_HOST": "127.0.0.1"}
    ),
}
IMAGE_SOURCES = {
    "registry_url": There(
        "registry.example",
        {"registry.credentials": WITH_TOKEN},
        LOGINS,
        "closed_registry.host: Credentials",
        {"REGISTRY_TOKEN": "t"},
    ),
    "registry_username": There(
        "ada", {"registry.credentials": ADA}, LOGINS, "username=USER", REGISTRY | {"REGISTRY_PASSWORD": "pw"}
    ),
    "registry_password": There(
        "pw",
        {"registry.credentials": ADA},
        LOGINS,
        "password=PASSWORD",
        REGISTRY | {"REGISTRY_USERNAME": "ada"},
    ),
    "registry_token": There(
        "t",
        {"registry.credentials": WITH_TOKEN},
        "tests/registry/test_authorization.py::test_shows_a_token_of_the_settings_itself",
        'token="good"',
        REGISTRY,
    ),
    "registries_file": There(
        "logins.toml", {"registry.credentials": WITH_TOKEN}, LOGINS, '"elsewhere.example": Credentials'
    ),
    "registry_plain_http": There(
        "registry.example",
        {"registry.plain_http": {"registry.example"}},
        "tests/e2e/local/test_proplet_settings.py::test_proplets_beside_their_manager_have_their_settings",
        "PROPLET_REGISTRY_PLAIN_HTTP",
    ),
    "allow_private_addresses": There(
        "true", {"registry.allow_private_addresses": True}, f"{WEB}test_fetches_from_an_address"
    ),
    "http_tls_ca_cert": There(
        "file.pem",
        {"registry.ca_cert": Path("file.pem")},
        f"{WEB}test_tls_asks_for_the_name_though_the_address_is_connected_to",
    ),
    "http_tls_insecure_skip_verify": There(
        "true",
        {"registry.insecure_skip_verify": True},
        f"{WEB}test_an_unknown_certificate_is_refused_unless_told_otherwise",
    ),
}
RULES = "tests/core/test_rules_"
POLICY = "manager.policy"


def _postgres(name, raw, wanted, test, **more):
    """Make an entry of a setting of the connection to PostgreSQL."""
    place = f"tests/store/postgres/test_connecting.py::{test}"
    more = {"STORAGE_TYPE": "postgres"} | more
    return There(raw, {f"manager.postgres.{name}": wanted}, place, name, more)


MODES = "tests/manager/test_modes.py::"
OF_MANAGER = {
    "ui": There(
        "false", {"manager.has_page": False}, "tests/api/test_page.py::test_it_can_be_left_out", "has_page"
    ),
    "auth": There(
        "tokens",
        {"manager.auth": ("tokens",)},
        f"{MODES}test_a_manager_asks_for_tokens_where_it_is_told_to",
        "tokens",
    ),
    "insecure_no_auth": There(
        "true",
        {"manager.auth": ("none",)},
        f"{MODES}test_elsewhere_than_on_loopback_it_has_to_be_told_who_may_use_it",
        "none",
    ),
    "http_names": There("a.test", {"http.names": ("a.test",)}, f"{GATE}test_other_names_can_be_given"),
    **OF_SIGN_IN,
    **OF_CERTIFICATES,
    "http_server_read_header_timeout": There(
        "1s", {"http.head_s_max": 1}, f"{SLOW}test_a_head_that_does_not_come_to_an_end"
    ),
    "http_server_read_timeout": There("1s", {"http.body_silence_s_max": 1}, f"{SLOW}test_a_body_that_drips"),
    "http_server_write_timeout": There(
        "1s", {"http.answer_silence_s_max": 1}, f"{SLOW}test_an_answer_that_nobody_reads"
    ),
    "http_server_idle_timeout": There(
        "1s", {"http.idle_s_max": 1}, f"{SLOW}test_a_connection_that_asks_nothing_more"
    ),
    "http_server_max_header_bytes": There(
        "2000", {"http.head_bytes_max": 2000}, f"{SLOW}test_a_head_may_be_as_large_as_is_said"
    ),
    "data_dir": Here("/far", lambda made: made.at("manager.data_dir"), Path("/far")),
    "storage_type": There(
        "memory",
        {"manager.storage": "memory"},
        "tests/e2e/local/test_storage.py::test_a_store_in_memory_leaves_nothing",
        "--storage-type",
    ),
    "postgres_host": _postgres("host", "db.test", "db.test", "test_the_server_is_found_by_host_and_port"),
    "postgres_port": _postgres("port", "5433", 5433, "test_the_server_is_found_by_host_and_port"),
    "postgres_user": _postgres(
        "user", "somebody", "somebody", "test_a_user_is_let_in_with_the_right_password"
    ),
    "postgres_pass": _postgres("password", "word", "word", "test_a_user_is_let_in_with_the_right_password"),
    "postgres_db": _postgres("database", "ours", "ours", "test_a_database_that_is_not_there_is_named"),
    "postgres_sslmode": _postgres("ssl_mode", "require", "require", "test_tls_is_as_the_mode_says"),
    "postgres_ca_cert": _postgres(
        "ca_cert", "file.pem", Path("file.pem"), "test_tls_is_as_the_mode_says", POSTGRES_SSLMODE="verify-ca"
    ),
    "advertise_url": There(
        "http://m.test:7070",
        {"manager.advertise_url": "http://m.test:7070"},
        "tests/manager/test_front.py::test_other_managers_are_told_the_url_that_is_set_or_one_that_leads_here",
        more={"STORAGE_TYPE": "postgres"},
    ),
    "lease": There(
        "5s",
        {"manager.postgres.lease_s": 5.0},
        "tests/store/postgres/test_lease.py::test_a_lease_holds_for_as_long_as_is_set",
        more={"STORAGE_TYPE": "postgres"},
    ),
    "sqlite_path": Here("/far/p.db", lambda made: made.at("manager.data_dir"), Path("/far")),
    "durability": There(
        "normal",
        {"manager.durability": "normal"},
        "tests/store/sqlite/test_damage.py::test_without_the_wait_for_the_disk_a_power_cut_may_take_the_end",
    ),
    "job_execution_mode": There(
        "parallel",
        {f"{POLICY}.job_mode": JobMode.PARALLEL},
        f"{RULES}jobs.py::test_a_job_that_names_no_mode_takes_the_managers",
    ),
    "liveness": There(
        "5s",
        {f"{POLICY}.liveness_s": 5},
        "tests/e2e/fleet/test_silence.py::test_a_manager_that_stands_still_for_longer_than_a_lease_ends_none",
        "LIVENESS_S",
    ),
    "forget_after": There(
        "40s",
        {f"{POLICY}.forget_s": 40},
        f"{RULES}fleet.py::test_a_proplet_that_was_not_heard_of_for_long_is_forgotten",
    ),
    "keep_ended": There(
        "1h",
        {"manager.keep_ended_s": 3600},
        "tests/manager/test_expiry.py::test_what_ended_goes_and_what_runs_stays",
    ),
    "history_size": There(
        "2MiB",
        {"manager.history_bytes": 2 * 2**20},
        "tests/store/conformance/test_events.py::test_it_is_bounded_in_bytes",
        "history_bytes",
    ),
    "history_time": There(
        "1h",
        {"manager.history_s": 3600},
        "tests/manager/test_expiry.py::test_what_happened_long_ago_goes_from_the_log",
        "history_s",
    ),
    "losses_max": There(
        "7",
        {f"{POLICY}.losses_max": 7},
        f"{RULES}proplets.py::test_a_lost_task_is_run_again_but_not_for_ever",
    ),
    "foreign_lease": There(
        "7s",
        {f"{POLICY}.foreign_lease_s": 7},
        f"{RULES}fleet.py::test_a_foreign_proplet_that_says_nothing_loses_the_task_in_the_end",
    ),
    "allow_foreign": Here("a", hears_of_a_and_b, [True, False]),
    "placement": There(
        "least-loaded",
        {f"{POLICY}.placement": Order.LEAST_LOADED},
        f"{RULES}fleet.py::test_least_loaded_fills_up_who_has_less",
        "LEAST_LOADED",
    ),
    "module_policy": Here("pinned", lambda made: made.at("manager.policy.trust.rule"), "pinned"),
    "module_keys": Here("signer.pub", signing.names_of_keys, ["signer"]),
    **OF_SECRETS,
}
AGENT = "tests/proplet/test_agent.py::"
SAMPLING = "tests/proplet/test_sampling.py::"
OF_PROPLET = {
    "data_dir": Here("/far", lambda made: made.at("proplet.directory"), Path("/far")),
    "slots": There(
        "2", {"proplet.slots": 2}, f"{AGENT}test_it_says_who_it_is_and_runs_what_it_is_told", "slots=3"
    ),
    "fetch": There(
        "direct",
        {"proplet.fetches_images": True},
        "tests/e2e/fleet/test_images.py::test_a_proplet_with_access_fetches_for_itself",
        '"PROPLET_FETCH": "direct"',
    ),
    "cache_bytes": There(
        "1MiB",
        {"proplet.modules_bytes_max": 2**20, "registry.cache_bytes_max": 2**20},
        "tests/proplet/test_module_store.py::test_those_used_longest_ago_make_room_but_not_those_in_use",
        "ModuleStore(tmp_path, bytes_max=30)",
    ),
    "liveliness_interval": There(
        "1s", {"proplet.heartbeat_s": 1}, f"{AGENT}test_signs_of_life_come_as_often_as_is_set"
    ),
    "metrics_interval": There(
        "1s", {"proplet.monitoring.interval_s": 1}, f"{SAMPLING}test_the_process_sends_both"
    ),
    "enable_monitoring": There(
        "false",
        {"proplet.monitoring.enabled": False},
        f"{SAMPLING}test_it_can_be_switched_off",
        "enabled=False",
    ),
    "description": Here("in the cellar", said("description"), "in the cellar"),
    "tags": Here("gpu,eu", said("tags"), ["gpu", "eu"]),
    "location": Here("here", said("location"), "here"),
    "collect_system_info": Here("false", said("os"), ""),
    "external_wasm_runtime": There(
        "true",
        {"proplet.external_runtime": "true"},
        f"{AGENT}test_guests_run_in_the_program_that_its_owner_has_named",
    ),
    "kbs_uri": There(
        "http://kbs",
        {"proplet.kbs_uri": "http://kbs"},
        "tests/proplet/test_encrypted.py::test_a_key_broker_that_can_not_be_had",
        "PROPLET_KBS_URI",
    ),
    "dirs": Here("{there}", writable, ["rw"]),
    "allow_dirs": Here("{there}:ro", refuses_what_is_there, ""),
    "allow_http": Here("a.test", refuses(grants=Grants(http=("a.test",))), ""),
    "http_enabled": Here("true", refuses(grants=Grants(listen=True)), ""),
    "http_proxy_port": There(
        "9000",
        {"proplet.sandbox_policy.http_port": 9000},
        "tests/proplet/test_guest_runs.py::test_a_server_that_names_no_port_begins_at_the_one_that_is_set",
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
    "compile_timeout": There(
        "7s",
        {"proplet.sandbox_policy.limits.compile_ns": 7 * 10**9},
        "tests/runtime/runner/test_limits.py::test_compiling_may_not_take_for_ever",
    ),
    "manager_k8s_namespace": There(
        "else",
        {"proplet.namespace": "else", "proplet.monitoring.namespace": "else"},
        f"{AGENT}test_it_says_who_it_is_and_runs_what_it_is_told",
    ),
}
OF_PROXY = {
    "chunk_size": There(
        "1000",
        {"chunk_size": 1000},
        "tests/proxy/test_proxy.py::test_pieces_are_as_large_as_is_set",
        "chunk_bytes",
    ),
    "authenticate": Here(
        "false", lambda made: made.at("registry.credentials"), {}, REGISTRY | {"REGISTRY_TOKEN": "t"}
    ),
    "cache_bytes": There(
        "1MiB", {"registry.cache_bytes_max": 2**20}, f"{IMAGES}test_keeps_no_more_than_the_bound"
    ),
    "cache_dir": There(
        "/far",
        {"registry.cache_dir": Path("/far")},
        f"{IMAGES}test_keeps_modules_by_digest_and_notices_when_the_disk_does_not",
    ),
}
ENTRIES = {
    MANAGER: BROKER | SERVER | OF_MANAGER | signing.KEYS_OF_MANAGER,
    PROPLET: BROKER | IMAGE_SOURCES | OF_PROPLET | signing.KEYS_OF_PROPLET,
    PROXY: BROKER | SERVER | IMAGE_SOURCES | OF_PROXY | signing.KEYS_OF_PROXY,
}
