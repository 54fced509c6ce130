"""A proplet that has its manager behind a broker."""

import asyncio
import signal

from propeller.assembly.fetching import fetcher_settings
from propeller.assembly.lifetime import raise_failure
from propeller.config.settings import PropletSettings
from propeller.proplet.agent import Agent, Settings
from propeller.proplet.guests import guests_of, offer_of
from propeller.proplet.host import describe
from propeller.proplet.keys import refusal_of_encrypted
from propeller.proplet.machine import Machine
from propeller.proplet.metrics import Sampler
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.mqtt_uplink import MqttUplink
from propeller.proplet.outbox import Outbox
from propeller.proplet.profile import Monitoring
from propeller.proplet.tee import found_tee
from propeller.registry.fetcher import Fetcher
from propeller.runtime.external.runtime import find_program


async def serve_proplet(settings: PropletSettings) -> None:
    """Serve until SIGINT or SIGTERM; what can't be handed back by then waits in the outbox."""
    proplet_id = settings.mqtt.entity_id
    outbox = Outbox(settings.data_dir)
    program = find_program(settings.external_wasm_runtime)
    try:
        agent = Agent(
            Machine(
                proplet_id,
                boot=outbox.boot,
                slots=settings.slots,
                kept=outbox.kept,
                refusal_of_encrypted=refusal_of_encrypted(found_tee(), settings.kbs_uri),
                offer=offer_of(program, settings.sandbox_policy),
            ),
            settings=Settings(
                heartbeat_s=settings.liveliness_interval_s,
                namespace=settings.k8s_namespace,
                metadata=describe(
                    description=settings.description,
                    tags=settings.tags,
                    location=settings.location,
                    collect_system_info=settings.collect_system_info,
                    wasm_runtime=settings.external_wasm_runtime if program else "",
                ),
                fetches_images=settings.fetch == "direct",
                sandbox_policy=settings.sandbox_policy,
            ),
            modules=ModuleStore(settings.data_dir, bytes_max=settings.registry.cache_bytes),
            fetcher=Fetcher(fetcher_settings(settings.registry)),
            outbox=outbox,
        )
        pool = guests_of(
            program, settings.data_dir, size=settings.slots, policy=settings.sandbox_policy, agent=agent
        )
        monitoring = Monitoring(
            enabled=settings.enable_monitoring,
            interval_s=settings.metrics_interval_s,
            namespace=settings.k8s_namespace,
        )
        agent.sampler = Sampler(proplet_id, pool, agent.start_of, monitoring)
        uplink = MqttUplink(agent, settings.mqtt, boot=outbox.boot, namespace=settings.k8s_namespace)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, agent.leave)
        await _serve_until_over(agent, uplink)
    finally:
        outbox.close()


async def _serve_until_over(agent: Agent, uplink: MqttUplink) -> None:
    vital: list[asyncio.Task[None]] = []

    async def connect() -> None:
        vital.append(uplink.start())
        vital[0].add_done_callback(lambda _: agent.ended())

    await agent.run(connect)
    raise_failure(vital)
