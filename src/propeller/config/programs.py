"""Makes the settings of each program from the values, and checks those that depend on each other."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from propeller.access.certificates import Grant, grants_of
from propeller.config.errors import BadSettings
from propeller.config.oidc import oidc_settings
from propeller.config.registries import logins_of
from propeller.config.sandbox_policy import sandbox_policy_of
from propeller.config.secrets_definitions import CREDENTIAL
from propeller.config.settings import (
    ClientAuth,
    HttpSettings,
    ManagerSettings,
    PropletSettings,
    ProxySettings,
    RegistrySettings,
    RemotePropletSettings,
)
from propeller.config.sources import Effective, missing_identity
from propeller.config.values import broker_parts
from propeller.core.model import JobMode
from propeller.mqtt.settings import MqttSettings, TlsSettings
from propeller.store.postgres.settings import PostgresSettings
from propeller.vault.master_keys import KeySource

#: The kinds of stores.
_STORAGE_TYPES = ("memory", "sqlite", "postgres")
#: Settings of one of several managers on PostgreSQL.
_OF_SEVERAL = ("advertise_url", "lease")
_LEASE_S_MIN = 1.0
_MAKE_KEYS = "`propeller provision renew` makes all keys"
#: Bytes of a message besides the chunk of a module in it: topic, names, numbers.
_AROUND_CHUNK_BYTES = 4096


def manager_settings(
    effective: Effective, environ: Mapping[str, str], *, has_broker: bool = True
) -> ManagerSettings:
    """Put the manager's settings together.

    Args:
        effective: What holds.
        environ: The variables.
        has_broker: False for a manager with local proplets only, which needs no credentials.

    Raises:
        BadSettings: One is missing, or two do not go together.

    """
    given = effective.values
    mqtt = mqtt_settings(effective) if has_broker else None
    if mqtt is not None and not mqtt.signing_key:
        _refuse_keys(given, "MANAGER_", "proplet_keys")
        if given["signatures"] == "required":
            raise BadSettings(f"MANAGER_SIGNATURES: required needs MANAGER_SIGNING_KEY; {_MAKE_KEYS}")
    _check_storage(effective)
    if given["forget_after"] <= given["liveness"]:
        raise BadSettings("MANAGER_FORGET_AFTER: has to be longer than MANAGER_LIVENESS")
    if given["module_policy"] == "signed" and not given["module_keys"]:
        raise BadSettings(
            "MANAGER_MODULE_KEYS: required with MANAGER_MODULE_POLICY=signed; name files or directories of "
            "public keys, as propeller keys generate makes them"
        )
    return ManagerSettings(
        mqtt=mqtt,
        http=_limited(_http(given, "MANAGER_"), given),
        ui=given["ui"],
        auth=_auth(given),
        oidc=oidc_settings(effective),
        certificates=_certificates(given),
        log_level=given["log_level"],
        data_dir=_data_dir(given, environ),
        storage=given["storage_type"],
        postgres=_postgres(given) if given["storage_type"] == "postgres" else None,
        advertise_url=given["advertise_url"] or "",
        durability=given["durability"],
        job_mode=JobMode(given["job_execution_mode"]),
        liveness_s=given["liveness"],
        forget_after_s=given["forget_after"],
        keep_ended_s=given["keep_ended"],
        history_bytes=given["history_size"],
        history_s=given["history_time"],
        losses_max=given["losses_max"],
        foreign_lease_s=given["foreign_lease"],
        allow_foreign=given["allow_foreign"],
        proplet_keys=dict(item.split("=", 1) for item in given["proplet_keys"] or ()),
        signatures=given["signatures"],
        placement=given["placement"],
        module_policy=given["module_policy"],
        module_keys=tuple(map(_absolute, given["module_keys"] or ())),
        secrets_key=_secrets_key(given, environ),
    )


def _auth(given: Mapping[str, Any]) -> tuple[str, ...]:
    auth: tuple[str, ...] = given["auth"] or ()
    if "proxy" in auth and not given["trusted_proxies"]:
        raise BadSettings(
            "MANAGER_TRUSTED_PROXIES: is missing, and MANAGER_AUTH has proxy; say from which addresses the "
            "proxy asks"
        )
    if not given["insecure_no_auth"]:
        return auth
    if set(auth) - {"none"}:
        raise BadSettings(
            f"MANAGER_INSECURE_NO_AUTH: has no effect with MANAGER_AUTH={','.join(auth)}; leave one of them "
            "out"
        )
    return ("none",)


def _certificates(given: Mapping[str, Any]) -> dict[str, Grant]:
    """Read what clients may do who show a certificate; refuse what has no effect, or lets nobody in."""
    entries = given["certificate_roles"]
    is_way = "certificates" in (given["auth"] or ())
    if entries and not is_way:
        raise BadSettings(
            "MANAGER_CERTIFICATE_ROLES: has no effect without MANAGER_AUTH=certificates; add that, or leave "
            "it out"
        )
    if is_way and not entries:
        raise BadSettings(
            "MANAGER_AUTH: certificates alone give no role; say in MANAGER_CERTIFICATE_ROLES who has which, "
            "like ci=operator"
        )
    if is_way and given["http_server_ca_certs"] is None:
        raise BadSettings(
            "MANAGER_AUTH: certificates need MANAGER_HTTP_SERVER_CA_CERTS, the CAs that sign those of clients"
        )
    return grants_of(entries or ())


def _secrets_key(given: Mapping[str, Any], environ: Mapping[str, str]) -> KeySource:
    """Say where the key of secrets is: as given, else systemd's credential, else in the data directory."""
    file, text = given["secrets_key_file"], given["secrets_key"]
    if file and text:
        raise BadSettings(
            "MANAGER_SECRETS_KEY: has no effect with MANAGER_SECRETS_KEY_FILE; leave one of them out"
        )
    if not file and not text and (directory := environ.get("CREDENTIALS_DIRECTORY")):
        credential = Path(directory) / CREDENTIAL
        file = credential if credential.is_file() else None
    own = None if given["storage_type"] == "postgres" else _data_dir(given, environ) / "secrets.key"
    return KeySource(file=_absolute(file) if file else None, text=text or "", own=own)


def _check_storage(effective: Effective) -> None:
    """Refuse a kind of store that there is not, and a setting that has no effect with it."""
    kind = effective.values["storage_type"]
    if kind not in _STORAGE_TYPES:
        raise BadSettings(
            f"MANAGER_STORAGE_TYPE: {kind} is not available in this version, which has "
            f"{', '.join(_STORAGE_TYPES)}; leave it out, and everything is kept in MANAGER_DATA_DIR"
        )
    given = {key for key, source in effective.sources.items() if source != "default"}
    if kind == "memory" and "durability" in given:
        raise BadSettings(
            "MANAGER_DURABILITY: has no effect with MANAGER_STORAGE_TYPE=memory, which keeps nothing; "
            "leave one of them out"
        )
    if kind == "postgres" and "durability" in given:
        raise BadSettings(
            "MANAGER_DURABILITY: has no effect with MANAGER_STORAGE_TYPE=postgres; leave it out, and set "
            "synchronous_commit at the server"
        )
    # What is shown of the settings, with all defaults, can be used as a file.
    of_postgres = [
        setting.key
        for setting in effective.program.settings
        if (setting.key.startswith("postgres_") or setting.key in _OF_SEVERAL)
        and effective.values[setting.key] != (setting.default and setting.read(setting.default))
    ]
    if kind != "postgres" and of_postgres:
        raise BadSettings(
            f"MANAGER_{of_postgres[0].upper()}: has no effect with MANAGER_STORAGE_TYPE={kind}; set "
            "MANAGER_STORAGE_TYPE=postgres, or leave it out"
        )
    if "postgres_ca_cert" in given and effective.values["postgres_sslmode"] in ("disable", "prefer"):
        raise BadSettings(
            f"MANAGER_POSTGRES_CA_CERT: has no effect with MANAGER_POSTGRES_SSLMODE="
            f"{effective.values['postgres_sslmode']}; set that to verify-full, or leave it out"
        )


def _postgres(given: Mapping[str, Any]) -> PostgresSettings:
    if given["lease"] < _LEASE_S_MIN:
        raise BadSettings(
            "MANAGER_LEASE: has to be at least 1s: a shorter one ends while the manager is busy"
        )
    return PostgresSettings(
        host=given["postgres_host"],
        port=given["postgres_port"],
        user=given["postgres_user"],
        password=given["postgres_pass"],
        database=given["postgres_db"],
        ssl_mode=given["postgres_sslmode"],
        ca_cert=given["postgres_ca_cert"],
        lease_s=given["lease"],
    )


def _refuse_keys(given: Mapping[str, Any], prefix: str, *others: str) -> None:
    """Refuse keys of others where a program has none itself."""
    for key in others:
        if given[key]:
            raise BadSettings(f"{prefix}{key.upper()}: needs {prefix}SIGNING_KEY; {_MAKE_KEYS}")


def _data_dir(given: Mapping[str, Any], environ: Mapping[str, str]) -> Path:
    """Choose the data directory: that of ``data_dir``, or of ``sqlite_path``, where a volume is mounted."""
    if given["data_dir"]:
        return _absolute(given["data_dir"])
    if given["sqlite_path"]:
        return _absolute(given["sqlite_path"].parent)
    return data_home(environ)


def remote_proplet_settings(effective: Effective, environ: Mapping[str, str]) -> RemotePropletSettings:
    """Put the settings of a proplet behind a broker together.

    Raises:
        BadSettings: One is missing, or two do not go together.

    """
    given = effective.values
    mqtt = mqtt_settings(effective)
    if mqtt.signing_key and given["join_token"]:
        raise BadSettings("PROPLET_JOIN_TOKEN: has no effect with PROPLET_SIGNING_KEY; leave one of them out")
    if not mqtt.signing_key:
        _refuse_keys(given, "PROPLET_", "manager_key", *(() if given["join_token"] else ("proxy_key",)))
    elif not given["manager_key"]:
        raise BadSettings(
            f"PROPLET_SIGNING_KEY: needs PROPLET_MANAGER_KEY, the public key of the manager; {_MAKE_KEYS}"
        )
    # Proplets on one machine share no directory that two of them could write to.
    data_dir = _absolute(given["data_dir"] or data_home(environ) / f"proplet-{mqtt.entity_id}")
    return RemotePropletSettings(
        mqtt=mqtt,
        log_level=given["log_level"],
        data_dir=data_dir,
        manager_key=given["manager_key"] or "",
        proxy_key=given["proxy_key"] or "",
        join_token=given["join_token"] or "",
        slots=given["slots"],
        proplet=proplet_settings(effective, data_dir, environ),
    )


def proplet_settings(effective: Effective, data_dir: Path, environ: Mapping[str, str]) -> PropletSettings:
    """Put a proplet's settings together.

    Args:
        effective: What holds.
        data_dir: Where it keeps its data, or where its manager does that started it.
        environ: The variables.

    Raises:
        BadSettings: Two do not go together.

    """
    given = effective.values
    return PropletSettings(
        fetch=given["fetch"],
        registry=registry_settings(effective, data_dir / "images"),
        liveliness_interval_s=given["liveliness_interval"],
        metrics_interval_s=given["metrics_interval"],
        enable_monitoring=given["enable_monitoring"],
        description=given["description"],
        tags=given["tags"] or (),
        location=given["location"],
        collect_system_info=given["collect_system_info"],
        external_wasm_runtime=given["external_wasm_runtime"],
        kbs_uri=given["kbs_uri"],
        k8s_namespace=given["manager_k8s_namespace"],
        sandbox_policy=sandbox_policy_of(effective, data_places(data_dir, environ)),
    )


def proxy_settings(effective: Effective, environ: Mapping[str, str]) -> ProxySettings:
    """Put the proxy's settings together.

    Raises:
        BadSettings: One is missing, or two do not go together.

    """
    given = effective.values
    mqtt = mqtt_settings(effective)
    message_bytes = given["chunk_size"] * 4 // 3 + _AROUND_CHUNK_BYTES
    if message_bytes > mqtt.max_packet_bytes:
        raise BadSettings(
            f"PROXY_CHUNK_SIZE: {given['chunk_size']} makes messages of {message_bytes} bytes, more than "
            f"PROXY_MQTT_MAX_PACKET_SIZE lets through: {mqtt.max_packet_bytes}"
        )
    cache_dir = given["cache_dir"] or _home(environ, "XDG_CACHE_HOME", ".cache") / "propeller" / "proxy"
    return ProxySettings(
        mqtt=mqtt,
        http=_http(given, "PROXY_"),
        log_level=given["log_level"],
        registry=registry_settings(effective, cache_dir),
        chunk_size=given["chunk_size"],
    )


def mqtt_settings(effective: Effective) -> MqttSettings:
    """Put together the settings for the connection to the broker.

    Raises:
        BadSettings: A credential is missing, or files for TLS do not go together.

    """
    problem = missing_identity(effective)
    if problem:
        raise BadSettings(problem)
    given = effective.values
    tls = TlsSettings(
        ca_cert=given["mqtt_tls_ca_cert"],
        client_cert=given["mqtt_tls_client_cert"],
        client_key=given["mqtt_tls_client_key"],
        insecure_skip_verify=given["mqtt_tls_insecure_skip_verify"],
    )
    prefix = f"{effective.program.prefix}MQTT_"
    if (tls.client_cert is None) != (tls.client_key is None):
        raise BadSettings(f"{prefix}TLS_CLIENT_CERT and {prefix}TLS_CLIENT_KEY: give both or neither")
    if tls != TlsSettings() and not broker_parts(given["mqtt_address"])[2]:
        raise BadSettings(
            f"{prefix}ADDRESS: {given['mqtt_address']} is not TLS, and there are settings for TLS; "
            "begin the address with ssl://, or leave them out"
        )
    return MqttSettings(
        address=given["mqtt_address"],
        tenant_id=given["tenant_id"],
        channel_id=given["channel_id"],
        entity_id=given["entity_id"],
        api_key=given["api_key"],
        signing_key=given["signing_key"] or "",
        qos=given["mqtt_qos"],
        timeout_s=given["mqtt_timeout"],
        keep_alive_s=given["mqtt_keep_alive"],
        max_packet_bytes=given["mqtt_max_packet_size"],
        inflight=given["mqtt_inflight"],
        tls=tls,
    )


def data_home(environ: Mapping[str, str]) -> Path:
    """Give the default directory for data."""
    return _home(environ, "XDG_DATA_HOME", ".local/share") / "propeller"


def data_places(data_dir: Path, environ: Mapping[str, str]) -> list[Path]:
    """List the data directories of Propeller's programs on this machine: this program's, and the default."""
    places = [data_dir]
    with contextlib.suppress(BadSettings):
        places += [place for place in [data_home(environ)] if place.exists()]
    return places


def _home(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    if environ.get(variable):
        return _absolute(Path(environ[variable]))
    try:
        return Path(environ["HOME"] if environ.get("HOME") else Path.home()) / below_home
    except RuntimeError:
        raise BadSettings(f"there is no home directory to keep data in; set HOME or {variable}") from None


def _absolute(path: Path) -> Path:
    return path.absolute()


def _http(given: Mapping[str, Any], prefix: str) -> HttpSettings:
    cert, key = given.get("http_server_cert"), given.get("http_server_key")
    if (cert is None) != (key is None):
        raise BadSettings(f"{prefix}HTTP_SERVER_CERT and {prefix}HTTP_SERVER_KEY: give both or neither")
    client_ca = given.get("http_server_ca_certs")
    client_auth: ClientAuth = given.get("http_client_auth") or ("none" if client_ca is None else "required")
    _check_clients(client_ca, client_auth, has_tls=cert is not None)
    return HttpSettings(
        host=given["http_host"],
        port=given["http_port"],
        names=given.get("http_names") or (),
        trusted_proxies=given.get("trusted_proxies") or (),
        server_cert=cert,
        server_key=key,
        client_ca=client_ca,
        client_auth=client_auth,
    )


def _check_clients(client_ca: Path | None, client_auth: str, *, has_tls: bool) -> None:
    """Refuse settings about certificates of clients that have no effect together."""
    name = "MANAGER_HTTP_SERVER_CA_CERTS"
    if client_ca is not None and not has_tls:
        raise BadSettings(
            f"{name}: has no effect without HTTPS; give MANAGER_HTTP_SERVER_CERT and MANAGER_HTTP_SERVER_KEY"
        )
    if client_ca is not None and client_auth == "none":
        raise BadSettings(f"{name}: has no effect with MANAGER_HTTP_CLIENT_AUTH=none; leave one of them out")
    if client_ca is None and client_auth != "none":
        raise BadSettings(
            f"MANAGER_HTTP_CLIENT_AUTH: {client_auth} needs {name}, the CAs that sign the "
            "certificates of clients"
        )


def _limited(http: HttpSettings, given: Mapping[str, Any]) -> HttpSettings:
    return msgspec.structs.replace(
        http,
        head_s_max=given["http_server_read_header_timeout"],
        body_silence_s_max=given["http_server_read_timeout"],
        answer_silence_s_max=given["http_server_write_timeout"],
        idle_s_max=given["http_server_idle_timeout"],
        head_bytes_max=given["http_server_max_header_bytes"],
    )


def registry_settings(effective: Effective, cache_dir: Path) -> RegistrySettings:
    """Put together the settings for fetching images.

    Raises:
        BadSettings: Credentials are incomplete, or their file can't be read.

    """
    given = effective.values
    return RegistrySettings(
        logins=logins_of(given, prefix=effective.program.prefix),
        plain_http=given["registry_plain_http"] or (),
        allow_private_addresses=given["allow_private_addresses"],
        ca_cert=given["http_tls_ca_cert"],
        insecure_skip_verify=given["http_tls_insecure_skip_verify"],
        cache_dir=_absolute(cache_dir),
        cache_bytes=given["cache_bytes"],
    )
