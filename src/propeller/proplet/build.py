"""Putting a proplet together: the one way, for local proplets and for remote ones."""

import time
from functools import partial
from pathlib import Path

import msgspec

import propeller
from propeller.proplet.account import Account
from propeller.proplet.agent import Agent, Settings
from propeller.proplet.guests import make_guests, offer_of, runtime_of
from propeller.proplet.host import SelfDescription, describe
from propeller.proplet.keys import refusal_of_encrypted
from propeller.proplet.machine import Machine
from propeller.proplet.module_store import BYTES_MAX, ModuleStore
from propeller.proplet.outbox import Outbox
from propeller.proplet.profile import Monitoring
from propeller.proplet.sandbox_policy import SandboxPolicy, grants_of
from propeller.proplet.tee import found_tee
from propeller.proplet.uplink import MakeUplink
from propeller.registry.fetcher import Fetcher
from propeller.registry.settings import RegistrySettings
from propeller.runtime.external.runtime import find_program
from propeller.vault.sealing import Opener


class PropletParts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a proplet is built from, apart from its uplink and its outbox."""

    id: str
    #: How many guests run at once.
    slots: int
    #: For modules and what is compiled from them.
    directory: Path
    registry: RegistrySettings
    sandbox_policy: SandboxPolicy = SandboxPolicy()
    monitoring: Monitoring = Monitoring()
    self_description: SelfDescription = SelfDescription()
    #: A path, or a name on ``PATH``; ``""`` for the embedded runtime.
    external_runtime: str = ""
    #: Where the keys of encrypted images are; ``""`` for nowhere.
    kbs_uri: str = ""
    modules_bytes_max: int = BYTES_MAX
    #: Whether images come from their registry, not from the proxy.
    fetches_images: bool = True
    #: Between two signs of life.
    heartbeat_s: float = 10.0
    namespace: str = "default"


def parts_to_json(parts: PropletParts) -> bytes:
    return msgspec.json.encode(parts, enc_hook=str)  # paths


def parts_from_json(data: bytes) -> PropletParts:
    return msgspec.json.decode(data, type=PropletParts, dec_hook=lambda kind, text: kind(text))


def build_proplet(parts: PropletParts, make_uplink: MakeUplink, outbox: Outbox | None = None) -> Agent:
    """Put a proplet together; one without an outbox ends with its manager, and owes nothing afterwards."""
    program = find_program(parts.external_runtime)
    opener = Opener()
    machine = Machine(
        parts.id,
        boot=outbox.boot if outbox is not None else time.time_ns(),
        slots=parts.slots,
        kept=outbox.kept if outbox is not None else (),
        refusal_of_encrypted=refusal_of_encrypted(found_tee(), parts.kbs_uri),
        offer=offer_of(program, parts.sandbox_policy),
        account=Account(
            runtime=runtime_of(program),
            version=propeller.__version__,
            grants_of=partial(grants_of, parts.sandbox_policy),
        ),
        sealing_key=opener.public_key,
    )
    settings = Settings(
        heartbeat_s=parts.heartbeat_s,
        namespace=parts.namespace,
        metadata=describe(parts.self_description, wasm_runtime=parts.external_runtime if program else "")
        | {"sealing_key": opener.public_key},
        fetches_images=parts.fetches_images,
        sandbox_policy=parts.sandbox_policy,
        monitoring=parts.monitoring,
    )
    return Agent(
        machine,
        settings=settings,
        modules=ModuleStore(parts.directory, bytes_max=parts.modules_bytes_max),
        fetcher=Fetcher(parts.registry),
        make_guests=partial(
            make_guests,
            program=program,
            directory=parts.directory,
            size=parts.slots,
            policy=parts.sandbox_policy,
        ),
        make_uplink=make_uplink,
        opener=opener,
        outbox=outbox,
    )
