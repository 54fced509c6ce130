"""The settings of the programs, as these get them: complete, checked, and never changed."""

from pathlib import Path
from typing import Literal

import msgspec

from propeller.core.model import JobMode
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.sandbox_policy import SandboxPolicy


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The address on which a program listens."""

    #: ``""`` means all addresses.
    host: str = "localhost"
    #: 0 takes a free one.
    port: int
    #: By what names it may be asked for, in lower case, besides those of loopback and ``host``. Without any,
    #: by every name, unless it listens on loopback only.
    names: tuple[str, ...] = ()
    #: Both or neither, in PEM form: with them it is HTTPS.
    server_cert: Path | None = None
    server_key: Path | None = None


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
    #: Hosts that are spoken to without TLS.
    plain_http: tuple[str, ...] = ()
    #: Whether an image may lie on an address of this machine or of a private network.
    allow_private_addresses: bool = False
    #: In place of the certificates of the system, in PEM form.
    ca_cert: Path | None = None
    insecure_skip_verify: bool = False
    cache_dir: Path
    #: How much the cache may hold.
    cache_bytes: int


class ManagerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller manager``."""

    mqtt: MqttSettings
    http: HttpSettings
    log_level: str
    data_dir: Path
    durability: Literal["full", "normal"]
    #: Mode of a job that names none.
    job_mode: JobMode
    #: After how long a silence a proplet is inactive, and after how long it is forgotten.
    liveness_s: float
    forget_after_s: float
    #: How long is kept what has ended; None for ever.
    keep_ended_s: float | None
    #: How often a task is run again after its proplet was lost.
    losses_max: int
    #: How long a task may run on a foreign proplet, which acknowledges nothing.
    foreign_lease_s: float
    #: Ids of proplets that only know the contract and get work all the same; ``*`` for all.
    allow_foreign: tuple[str, ...]
    placement: Literal["round-robin", "least-loaded"]


class PropletSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller proplet``."""

    mqtt: MqttSettings
    log_level: str
    data_dir: Path
    #: How many guests run at once.
    slots: int
    #: Whether images come from the proxy, or this program fetches them itself.
    fetch: Literal["proxy", "direct"]
    registry: RegistrySettings
    #: Between two signs of life.
    liveliness_interval_s: float
    #: Between two reports of what is used; 0 for none.
    metrics_interval_s: float
    #: Whether tasks are watched for what they use.
    enable_monitoring: bool
    description: str
    tags: tuple[str, ...]
    location: str
    #: Whether to tell the manager of the machine: its system, processor and memory.
    collect_system_info: bool
    #: A path, or a name on ``PATH``; ``""`` for the embedded runtime.
    external_wasm_runtime: str
    #: Where the keys of encrypted images are; ``""`` for nowhere.
    kbs_uri: str
    k8s_namespace: str
    #: The resources that guests may use.
    sandbox_policy: SandboxPolicy


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``propeller proxy``."""

    mqtt: MqttSettings
    http: HttpSettings
    log_level: str
    registry: RegistrySettings
    #: Bytes of a module in one message, before base64.
    chunk_size: int
