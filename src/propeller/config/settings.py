"""The settings of the programs, as the programs get them: complete, checked, and never changed."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import msgspec

from propeller.access.certificates import Grant
from propeller.config.oidc import OidcSettings
from propeller.core.model import JobMode
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.store.postgres.settings import PostgresSettings
from propeller.vault.master_keys import KeySource

#: Whether a client has to show a certificate, may, or is not asked.
ClientAuth = Literal["none", "optional", "required"]


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The address on which a program listens."""

    #: ``""`` means all addresses.
    host: str = "localhost"
    #: 0 for any free port.
    port: int
    #: Names that it answers to, in lower case, besides those of loopback and ``host``. Without any, it
    #: answers to every name, unless it listens on loopback only.
    names: tuple[str, ...] = ()
    #: Addresses of proxies before it, which are believed what they say of a request.
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    #: With certificate and key, in PEM form, it serves HTTPS. Both or neither are set.
    server_cert: Path | None = None
    server_key: Path | None = None
    #: The CAs that sign the certificates of clients, in PEM form; set unless ``client_auth`` is ``none``.
    client_ca: Path | None = None
    client_auth: ClientAuth = "none"
    #: How long, s, the head of a request may take, its body may pause, a client may read nothing of an answer
    #: of which more waits, and a connection stays open between two requests.
    head_s_max: float = 10.0
    body_silence_s_max: float = 15.0
    answer_silence_s_max: float = 60.0
    idle_s_max: float = 60.0
    #: Line and headers of a request; a little more may pass, as much as one read brings.
    head_bytes_max: int = 64 * 1024


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials for one registry: a user name with a password, or a token."""

    #: ``host[:port]``, as the names of images begin; no other registry gets the credentials.
    host: str
    username: str = ""
    password: str = ""
    token: str = ""


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings for fetching images."""

    #: At most one per host.
    logins: tuple[Login, ...] = ()
    #: Hosts that are asked without TLS.
    plain_http: tuple[str, ...] = ()
    #: True if images may come from this machine or from a private network.
    allow_private_addresses: bool = False
    #: Certificates in PEM form, in place of those of the system.
    ca_cert: Path | None = None
    insecure_skip_verify: bool = False
    cache_dir: Path
    #: Largest size of the cache.
    cache_bytes: int


class ManagerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller manager``, and of the manager of ``propeller up``."""

    #: The broker; None where there is none.
    mqtt: MqttSettings | None
    http: HttpSettings
    #: Whether it serves the page for people.
    ui: bool
    #: How it knows who sends a request, such as ``tokens``; ``none`` for not at all, empty if nobody said.
    auth: tuple[str, ...]
    #: The issuer; None without ``oidc`` among the ways.
    oidc: OidcSettings | None
    #: What clients may do who show a certificate, by name.
    certificates: Mapping[str, Grant]
    log_level: str
    data_dir: Path
    storage: Literal["memory", "sqlite", "postgres"]
    #: The database; None where there is none.
    postgres: PostgresSettings | None
    #: The URL at which other managers of the database reach this one; ``""`` for where it listens.
    advertise_url: str
    durability: Literal["full", "normal"]
    #: Mode of a job that names none.
    job_mode: JobMode
    #: Silence after which a proplet is inactive, and after which it is forgotten.
    liveness_s: float
    forget_after_s: float
    #: How long ended tasks and groups are kept; None for ever.
    keep_ended_s: float | None
    #: How many bytes of the event log are kept, and how long; None for no limit by time.
    history_bytes: int
    history_s: float | None
    #: How often a task is run again after its proplet was lost.
    losses_max: int
    #: How long a task may run on a foreign proplet, which acknowledges nothing.
    foreign_lease_s: float
    #: Ids of the foreign proplets that get work; ``*`` for all.
    allow_foreign: tuple[str, ...]
    #: The public keys of proplets, by id, and who is heard by signature alone.
    proplet_keys: dict[str, str]
    signatures: Literal["off", "seen", "required"]
    placement: Literal["round-robin", "least-loaded"]
    #: Which modules tasks may run, and where the public keys are that sign them.
    module_policy: Literal["any", "pinned", "signed"]
    module_keys: tuple[Path, ...]
    #: Where the key is that secrets are encrypted with.
    secrets_key: KeySource


class PropletSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a proplet, wherever its manager is."""

    #: ``proxy``: images come from the proxy; ``direct``: the proplet fetches them itself.
    fetch: Literal["proxy", "direct"]
    registry: RegistrySettings
    #: Time between two signs of life.
    liveliness_interval_s: float
    #: Time between two samples of the resources in use; 0 for no samples.
    metrics_interval_s: float
    #: True to measure the resources that tasks use.
    enable_monitoring: bool
    description: str
    tags: tuple[str, ...]
    location: str
    #: True to tell the manager about the machine: its system, processor and memory.
    collect_system_info: bool
    #: A path, or a name on ``PATH``; ``""`` for the embedded runtime.
    external_wasm_runtime: str
    #: Address of the service with the keys of encrypted images; ``""`` for none.
    kbs_uri: str
    k8s_namespace: str
    #: The resources that guests may use.
    sandbox_policy: SandboxPolicy


class RemotePropletSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller proplet``."""

    mqtt: MqttSettings
    log_level: str
    data_dir: Path
    #: The public keys of its manager and of its proxy; ``""`` for none.
    manager_key: str
    proxy_key: str
    #: What it joins its manager with, in place of keys; ``""`` for nothing.
    join_token: str
    #: How many guests run at once.
    slots: int
    proplet: PropletSettings


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller proxy``."""

    mqtt: MqttSettings
    http: HttpSettings
    log_level: str
    registry: RegistrySettings
    #: Bytes of a module in one message, before base64.
    chunk_size: int
