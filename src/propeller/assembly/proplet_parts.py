"""Puts proplets together from settings: local ones, and those behind a broker."""

from pathlib import Path

import msgspec

from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.lifetime import stop_asked
from propeller.config.settings import PropletSettings, RemotePropletSettings
from propeller.proplet.build import PropletParts, build_proplet
from propeller.proplet.host import SelfDescription
from propeller.proplet.mqtt_uplink import MqttUplink
from propeller.proplet.outbox import Outbox
from propeller.proplet.own_keys import OwnKeys, keep_keys, read_keys
from propeller.proplet.profile import Monitoring
from propeller.proplet.signatures import Signatures
from propeller.proplet.uplink import Uplink, UplinkListener
from propeller.wire.fleet.joining import read_join_token

#: A manager keeps every module anyway, and its local proplets share one store.
_NO_BOUND = 2**63


async def serve_proplet(settings: RemotePropletSettings) -> None:
    """Serve until SIGINT or SIGTERM; reports that can't be sent by then wait in the outbox."""
    stop = stop_asked()
    outbox = Outbox(settings.data_dir)

    def make_uplink(listener: UplinkListener) -> Uplink:
        return MqttUplink(
            listener,
            settings.mqtt,
            boot=outbox.boot,
            namespace=settings.proplet.k8s_namespace,
            signatures=signatures_of(settings, outbox.boot),
        )

    try:
        agent = build_proplet(_remote_parts(settings), make_uplink, outbox)
        await agent.run(stop)
    finally:
        outbox.close()


def signatures_of(settings: RemotePropletSettings, boot: int) -> Signatures | None:
    """Give what signs and checks the messages of a proplet; None for one without keys.

    Raises:
        StoreUnusable: The keys of one that joins, or has joined, can't be read or written.

    """
    mqtt, manager_key = settings.mqtt, settings.manager_key
    token = read_join_token(settings.join_token) if settings.join_token else None
    if not manager_key:
        keys = read_keys(settings.data_dir)
        if token is not None and (keys is None or keys.manager_key != token.manager_key):
            keys = OwnKeys(
                signing_key=keys.signing_key if keys else _new_key(), manager_key=token.manager_key
            )
            keep_keys(settings.data_dir, keys)
        if keys is None:
            return None
        mqtt, manager_key = msgspec.structs.replace(mqtt, signing_key=keys.signing_key), keys.manager_key
    return Signatures(mqtt, manager_key=manager_key, proxy_key=settings.proxy_key, boot=boot, token=token)


def _new_key() -> str:
    from propeller.wire.fleet.keys import new_key  # noqa: PLC0415  only who joins makes one

    return new_key()


def local_parts(settings: PropletSettings, proplet_id: str, slots: int, directory: Path) -> PropletParts:
    """Give the parts of a proplet beside its manager, which reads modules and images with it."""
    parts = _parts(settings, proplet_id, slots, directory)
    return msgspec.structs.replace(parts, modules_bytes_max=_NO_BOUND, fetches_images=True)


def _remote_parts(settings: RemotePropletSettings) -> PropletParts:
    return _parts(settings.proplet, settings.mqtt.entity_id, settings.slots, settings.data_dir)


def _parts(settings: PropletSettings, proplet_id: str, slots: int, directory: Path) -> PropletParts:
    return PropletParts(
        id=proplet_id,
        slots=slots,
        directory=directory,
        registry=fetcher_settings(settings.registry),
        sandbox_policy=settings.sandbox_policy,
        monitoring=Monitoring(
            enabled=settings.enable_monitoring,
            interval_s=settings.metrics_interval_s,
            namespace=settings.k8s_namespace,
        ),
        self_description=SelfDescription(
            description=settings.description,
            tags=settings.tags,
            location=settings.location,
            collect_system_info=settings.collect_system_info,
        ),
        external_runtime=settings.external_wasm_runtime,
        kbs_uri=settings.kbs_uri,
        modules_bytes_max=settings.registry.cache_bytes,
        fetches_images=settings.fetch == "direct",
        heartbeat_s=settings.liveliness_interval_s,
        namespace=settings.k8s_namespace,
    )
