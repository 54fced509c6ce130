"""Defines every setting of every program; flags, variables, keys of the file and the page follow from it.

A setting called ``http_port`` of the manager is ``--http-port``, ``MANAGER_HTTP_PORT`` and ``http_port`` in
``[manager]``. Names and defaults are the contract's (``cli-config``, sections 2 to 5), but for the limits of
HTTP clients, whose defaults are ours. Where a text begins with *Extension*, the existing system has no such
setting.
"""

from propeller.config import values
from propeller.config.access_definitions import ACCESS
from propeller.config.http_definitions import http_address, http_clients, http_proxies, http_tls
from propeller.config.sandbox_definitions import SANDBOX
from propeller.config.secrets_definitions import SECRETS
from propeller.config.setting import Program, Setting
from propeller.config.signing_definitions import OF_OTHERS, OF_PROPLETS, SIGNING_KEY
from propeller.config.task_definitions import TASKS
from propeller.core.model import JobMode

IDENTITY = ("tenant_id", "channel_id", "entity_id", "api_key")

_MIB = 2**20


def _log_level(*words: str) -> Setting:
    return Setting(
        key="log_level",
        read=values.choice(*words),
        default="info",
        text=f"Log level: {', '.join(words)}.",
    )


_CREDENTIALS = (
    Setting(
        key="tenant_id",
        aliases=("domain_id",),
        read=values.topic_level,
        text="The tenant that the system belongs to. Required.",
    ),
    Setting(key="channel_id", read=values.topic_level, text="The channel of all messages. Required."),
    Setting(
        key="entity_id",
        aliases=("client_id",),
        read=values.topic_level,
        text="This program's identity: client id and user name. Required.",
    ),
    Setting(
        key="api_key",
        aliases=("client_key",),
        read=values.text,
        is_secret=True,
        text="This program's password. Required.",
    ),
    SIGNING_KEY,
)


def _mqtt(max_packet_bytes: int) -> tuple[Setting, ...]:
    return (
        Setting(
            key="mqtt_address",
            read=values.broker,
            default="tcp://localhost:1883",
            text="The broker; ssl://, tls:// and mqtts:// are TLS.",
        ),
        Setting(key="mqtt_qos", read=values.whole(0, 2), default=2, text="Quality of service, 0 to 2."),
        Setting(
            key="mqtt_timeout", read=values.duration(), default="30s", text="How long connecting may take."
        ),
        Setting(
            key="mqtt_keep_alive",
            read=values.whole_seconds(65535),
            default="30s",
            text="Silence after which the connection is checked.",
        ),
        Setting(
            key="mqtt_max_packet_size",
            read=values.whole(1024, 268_435_455),
            default=max_packet_bytes,
            text="Size of the largest message, sent or received, in bytes.",
        ),
        Setting(
            key="mqtt_inflight",
            read=values.whole(1, 65535),
            computed="100, or what the broker takes if that is less; 20 if it speaks MQTT 3.1.1",
            text="How many sent messages may wait for the broker's acknowledgement.",
        ),
        Setting(
            key="mqtt_tls_ca_cert",
            read=values.pem_file,
            text="PEM file of the CA that signed the broker's certificate; without it, the system's CAs.",
        ),
        Setting(
            key="mqtt_tls_client_cert",
            read=values.pem_file,
            text="This program's certificate, for mutual TLS.",
        ),
        Setting(
            key="mqtt_tls_client_key",
            read=values.pem_file,
            text="The key of that certificate; give both or neither.",
        ),
        Setting(
            key="mqtt_tls_insecure_skip_verify",
            read=values.boolean,
            default=False,
            text="Accept any certificate of the broker; for tests only.",
        ),
        *_CREDENTIALS,
    )


#: Keys of the settings that say how a program speaks with a broker; each program has all of them.
BROKER_KEYS = tuple(setting.key for setting in _mqtt(_MIB))


def _images(cache: str, servers: str) -> tuple[Setting, ...]:
    return (
        Setting(
            key="registry_url",
            read=values.host,
            text="The one registry that gets the credentials; required with them.",
        ),
        Setting(
            key="registry_username", read=values.text, text="User name at that registry, with a password."
        ),
        Setting(key="registry_password", read=values.text, is_secret=True, text="Password of that user."),
        Setting(
            key="registry_token", read=values.text, is_secret=True, text="Token instead of name and password."
        ),
        Setting(
            key="registries_file",
            read=values.path,
            text="*Extension.* Credentials for several registries, in TOML or as `docker login` writes them.",
        ),
        Setting(
            key="registry_plain_http",
            read=values.hosts,
            text="*Extension.* Registries without TLS, separated by commas.",
        ),
        Setting(
            key="allow_private_addresses",
            read=values.boolean,
            default=False,
            text="*Extension.* Fetch images also from addresses of this machine and of private networks.",
        ),
        Setting(
            key="http_tls_ca_cert",
            read=values.pem_file,
            text=f"PEM file of a CA of {servers}; besides the system's CAs.",
        ),
        Setting(
            key="http_tls_insecure_skip_verify",
            read=values.boolean,
            default=False,
            text=f"Accept any certificate of {servers}; for tests only.",
        ),
        Setting(
            key="cache_bytes",
            read=values.size(),
            default=cache,
            text="*Extension.* Largest size of the image cache.",
        ),
    )


_NO_PLUGINS = "there are no plugins in this version, so none would be asked; leave it out"

_POSTGRES = (
    Setting(
        key="postgres_host",
        read=values.text,
        default="localhost",
        text="With `storage_type` postgres: name or address of the server, or the directory of its socket.",
    ),
    Setting(key="postgres_port", read=values.whole(1, 65535), default=5432, text="Its port."),
    Setting(key="postgres_user", read=values.text, default="propeller", text="The user there."),
    Setting(
        key="postgres_pass",
        read=values.text,
        default="propeller",
        is_secret=True,
        text="The password of that user.",
    ),
    Setting(
        key="postgres_db",
        read=values.text,
        default="propeller",
        text="The database, which is there already; the manager makes its tables.",
    ),
    Setting(
        key="postgres_sslmode",
        read=values.choice("disable", "prefer", "require", "verify-ca", "verify-full"),
        default="disable",
        text="disable: no TLS; prefer: TLS if the server has it; require: only with TLS; verify-ca: also "
        "check who signed its certificate; verify-full: also its name.",
    ),
    Setting(
        key="postgres_ca_cert",
        read=values.pem_file,
        text="*Extension.* PEM file of the CA that signed the server's certificate; without it, the "
        "system's CAs.",
    ),
    Setting(
        key="advertise_url",
        read=values.web_address,
        computed="where it listens",
        text="*Extension.* With `storage_type` postgres: the URL at which the other managers of the database "
        "reach this one.",
    ),
    Setting(
        key="lease",
        read=values.duration(),
        default="3s",
        text="*Extension.* With `storage_type` postgres: how long a manager leads without a renewal, and so "
        "about how long nobody leads after a crash. At least 1s.",
    ),
)

MANAGER = Program(
    name="manager",
    text="Run a manager for proplets at a broker, until it is stopped.",
    refused=(
        (
            "MANAGER_HTTP_CLIENT_CA_CERTS",
            "the CAs of clients are named by MANAGER_HTTP_SERVER_CA_CERTS here; leave it out",
        ),
        ("MANAGER_PLUGIN_DIR", _NO_PLUGINS),
    ),
    settings=(
        _log_level("debug", "info", "warn", "error"),
        *_mqtt(_MIB),
        *http_address("localhost", 7070),
        Setting(
            key="http_names",
            read=values.host_names,
            text="*Extension.* Names to answer to besides `localhost` and `http_host`, separated by commas. "
            "Without any, a manager on loopback answers to no other name, and one elsewhere to all names.",
        ),
        Setting(
            key="ui",
            read=values.boolean,
            default=True,
            text="*Extension.* Serve the page for people under `/ui/`, and lead browsers to it from `/`.",
        ),
        *http_tls(),
        *http_proxies(),
        *http_clients(),
        *ACCESS,
        Setting(
            key="data_dir",
            read=values.path,
            computed="`~/.local/share/propeller`",
            text="*Extension.* The directory for all data; the same as that of `propeller up`.",
        ),
        Setting(
            key="storage_type",
            read=values.choice("memory", "sqlite", "postgres", "badger"),
            default="sqlite",
            text="sqlite: all is kept in `data_dir`; postgres: in a database on a server, which several "
            "managers may share; memory: nothing is kept when the manager ends.",
        ),
        Setting(
            key="sqlite_path",
            read=values.path,
            text="The directory of this file is the data directory, unless `data_dir` is given.",
        ),
        *_POSTGRES,
        Setting(
            key="durability",
            read=values.choice("full", "normal"),
            default="full",
            text="*Extension.* full: a power cut loses nothing; normal: faster, but it may "
            "lose the last commits.",
        ),
        Setting(
            key="job_execution_mode",
            variable="JOB_EXECUTION_MODE",
            read=values.choice(*JobMode),
            default="configurable",
            text="Mode of jobs that name none: parallel, sequential or configurable.",
        ),
        Setting(
            key="liveness",
            read=values.duration(),
            default="30s",
            text="*Extension.* A proplet that is silent for longer is inactive.",
        ),
        Setting(
            key="forget_after",
            read=values.duration(),
            default="24h",
            text="*Extension.* A proplet that is silent for longer is forgotten.",
        ),
        Setting(
            key="keep_ended",
            read=values.duration(),
            text="*Extension.* Delete tasks, workflows and jobs that ended longer ago than this; "
            "without it, keep all.",
        ),
        Setting(
            key="history_size",
            read=values.size(least="1MiB"),
            default="64MiB",
            text="*Extension.* How much is kept of the history of tasks (`GET /tasks/{id}/events`); "
            "of more, the oldest goes.",
        ),
        Setting(
            key="history_time",
            read=values.duration(),
            text="*Extension.* How long the history is kept; without it, as long as there is room.",
        ),
        Setting(
            key="losses_max",
            read=values.whole(0, 1_000_000),
            default=3,
            text="*Extension.* How often a task is run again after its proplet was lost.",
        ),
        Setting(
            key="foreign_lease",
            read=values.duration(),
            default="1h",
            text="*Extension.* How long a task may run on a foreign proplet, which acknowledges nothing.",
        ),
        *OF_PROPLETS,
        *TASKS,
        *SECRETS,
    ),
)

PROPLET = Program(
    name="proplet",
    text="Run a proplet for a manager at a broker, until it is stopped.",
    refused=(("PROPLET_PLUGIN_DIR", _NO_PLUGINS),),
    settings=(
        _log_level("trace", "debug", "info", "warn", "error"),
        *_mqtt(10 * _MIB),
        *OF_OTHERS,
        Setting(
            key="data_dir",
            read=values.path,
            computed="`~/.local/share/propeller/proplet-<entity_id>`",
            text="*Extension.* The directory for modules, and for results that are not acknowledged yet.",
        ),
        Setting(
            key="slots", read=values.whole(1, 1024), default=4, text="*Extension.* Guests that run at once."
        ),
        Setting(
            key="fetch",
            read=values.choice("proxy", "direct"),
            default="proxy",
            text="*Extension.* proxy: images come from the proxy; direct: this program fetches them itself.",
        ),
        *_images("1GiB", "registries and of servers that guests ask"),
        Setting(
            key="liveliness_interval",
            read=values.duration(),
            default="10s",
            text="Time between two signs of life.",
        ),
        Setting(
            key="metrics_interval",
            read=values.duration(may_be_zero=True),
            default="10s",
            text="Time between two samples of the resources in use; 0 for no samples.",
        ),
        Setting(
            key="enable_monitoring",
            read=values.boolean,
            default=True,
            text="Measure the resources that tasks use.",
        ),
        Setting(key="description", read=values.text, default="", text="Its description, for people."),
        Setting(key="tags", read=values.names, text="Tags that tasks may require, separated by commas."),
        Setting(key="location", read=values.text, default="", text="Its location, for people."),
        Setting(
            key="collect_system_info",
            read=values.boolean,
            default=True,
            text="Tell the manager of this machine: its system, processor and memory.",
        ),
        Setting(
            key="external_wasm_runtime",
            read=values.text,
            default="",
            text="A wasmtime command to run guests with, by name or path; empty means the embedded runtime.",
        ),
        Setting(
            key="kbs_uri",
            read=values.text,
            default="",
            text="The key broker for encrypted images; only a proplet inside a TEE asks it.",
        ),
        *SANDBOX,
        Setting(
            key="manager_k8s_namespace",
            read=values.text,
            default="default",
            text="The namespace that messages name.",
        ),
    ),
)

PROXY = Program(
    name="proxy",
    text="Run a proxy for proplets at a broker, until it is stopped.",
    settings=(
        _log_level("debug", "info", "warn", "error"),
        *_mqtt(_MIB),
        *http_address("", 9191),
        Setting(
            key="chunk_size",
            read=values.whole(1, 128 * _MIB),
            default=512_000,
            text="Bytes of a module in one message.",
        ),
        Setting(
            key="authenticate",
            read=values.boolean,
            computed="true with credentials",
            text="Send the credentials to the registry that `registry_url` names.",
        ),
        *_images("4GiB", "registries"),
        Setting(
            key="cache_dir",
            read=values.path,
            computed="`~/.cache/propeller/proxy`",
            text="*Extension.* The directory for fetched images.",
        ),
    ),
)

PROGRAMS = (MANAGER, PROPLET, PROXY)
