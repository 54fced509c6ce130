"""Puts a remote proplet together, from the settings of ``propeller proplet``."""

import signal

from propeller.assembly.fetching import fetcher_settings
from propeller.config.settings import PropletSettings
from propeller.proplet.build import PropletParts, build_proplet
from propeller.proplet.host import SelfDescription
from propeller.proplet.mqtt_uplink import MqttUplink
from propeller.proplet.outbox import Outbox
from propeller.proplet.profile import Monitoring
from propeller.proplet.uplink import Uplink, UplinkListener


async def serve_proplet(settings: PropletSettings) -> None:
    """Serve until SIGINT or SIGTERM; reports that can't be sent by then wait in the outbox."""
    outbox = Outbox(settings.data_dir)

    def make_uplink(listener: UplinkListener) -> Uplink:
        return MqttUplink(listener, settings.mqtt, boot=outbox.boot, namespace=settings.k8s_namespace)

    try:
        agent = build_proplet(_parts(settings), make_uplink, outbox)
        await agent.run(leave_on=[signal.SIGTERM, signal.SIGINT])
    finally:
        outbox.close()


def _parts(settings: PropletSettings) -> PropletParts:
    return PropletParts(
        id=settings.mqtt.entity_id,
        slots=settings.slots,
        directory=settings.data_dir,
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
