"""Puts a manager together with its store, its local proplets and its way to remote ones."""

import asyncio
import contextlib
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from propeller.access.certificates import Grant
from propeller.assembly.lifetime import beside, start_within
from propeller.assembly.proplet_parts import local_parts
from propeller.config.errors import BadSettings
from propeller.config.oidc import OidcSettings
from propeller.config.settings import HttpSettings, ManagerSettings, PropletSettings
from propeller.core.placement import Order
from propeller.core.policy import Policy
from propeller.core.trust import ModuleRule, Trust
from propeller.errors import Invalid
from propeller.manager import identity
from propeller.manager.local_fleet import LocalFleet
from propeller.manager.mqtt_fleet import ANY, MqttFleet
from propeller.manager.patience import Lead
from propeller.manager.service import Manager
from propeller.manager.signatures import Mode, Signatures
from propeller.manager.standing import Standing
from propeller.manager.supervisor import Launch, LaunchOf, Supervisor
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.build import parts_to_json
from propeller.store import limits
from propeller.store.memory import MemoryStore
from propeller.store.port import Identity, Store
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.sqlite.mark import Durability
from propeller.store.sqlite.opening import lock_directory
from propeller.store.sqlite.store import SqliteStore
from propeller.vault.master_keys import KeySource

#: Who a manager is at its broker.
Who = identity.Identity | Identity


class ManagerParts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a manager is built from."""

    http: HttpSettings = HttpSettings(port=7070)
    #: Whether it serves the page for people.
    has_page: bool = True
    #: How it knows who sends a request, such as ``tokens``; ``none`` for not at all, empty if nobody said.
    auth: tuple[str, ...] = ()
    #: The issuer, with ``oidc``.
    oidc: OidcSettings | None = None
    #: What clients may do who show a certificate, by name.
    certificates: Mapping[str, Grant] = msgspec.field(default_factory=dict)
    data_dir: Path
    storage: Literal["memory", "sqlite", "postgres"] = "sqlite"
    #: The database, with ``postgres``.
    postgres: PostgresSettings | None = None
    #: The URL at which other managers of the database reach this one; ``""`` for where it listens.
    advertise_url: str = ""
    durability: Durability = "full"
    policy: Policy = Policy()
    #: How long tasks, workflows and jobs are kept after their end; None for ever.
    keep_ended_s: float | None = None
    #: How many bytes of the event log are kept, and how long; None for no limit by time.
    history_bytes: int = limits.HISTORY_BYTES_KEPT
    history_s: float | None = None
    #: How many local proplets to start.
    proplets: int = 1
    #: How many guests each of them runs at once.
    concurrency: int = 4
    #: Their settings; None where none is started.
    proplet: PropletSettings | None = None
    #: The broker behind which there are more proplets; None for none.
    mqtt: MqttSettings | None = None
    #: The foreign proplets there that get work; ``ANY`` for all.
    allow_foreign: tuple[str, ...] = (ANY,)
    #: The public keys of proplets there, by id, and who is heard by signature alone.
    proplet_keys: dict[str, str] = {}
    signatures: Mode = "seen"
    #: Where the key is that secrets are encrypted with.
    secrets_key: KeySource = KeySource()
    #: How a local proplet's process is started; None for the real one.
    launch_of: LaunchOf | None = None


def parts_of(settings: ManagerSettings) -> ManagerParts:
    """Give the parts of a manager without local proplets."""
    return ManagerParts(
        http=settings.http,
        has_page=settings.ui,
        auth=settings.auth,
        oidc=settings.oidc,
        certificates=settings.certificates,
        data_dir=settings.data_dir,
        storage=settings.storage,
        postgres=settings.postgres,
        advertise_url=settings.advertise_url,
        durability=settings.durability,
        proplets=0,
        mqtt=settings.mqtt,
        allow_foreign=settings.allow_foreign,
        proplet_keys=settings.proplet_keys,
        signatures=settings.signatures,
        keep_ended_s=settings.keep_ended_s,
        history_bytes=settings.history_bytes,
        history_s=settings.history_s,
        secrets_key=settings.secrets_key,
        policy=Policy(
            losses_max=settings.losses_max,
            liveness_s=settings.liveness_s,
            forget_s=settings.forget_after_s,
            foreign_lease_s=settings.foreign_lease_s,
            placement=Order(settings.placement),
            job_mode=settings.job_mode,
            trust=_trust(settings),
        ),
    )


def _trust(settings: ManagerSettings) -> Trust:
    """Give the module policy with its keys; raise ``BadSettings`` if one of them can't be read."""
    rule = ModuleRule(settings.module_policy)
    if not settings.module_keys:
        return Trust(rule=rule)
    from propeller.signing.files import read_public_keys  # noqa: PLC0415  it loads cryptography
    from propeller.signing.signers import Signers  # noqa: PLC0415

    try:
        return Trust(rule=rule, keys=Signers(read_public_keys(settings.module_keys)))
    except Invalid as error:
        raise BadSettings(f"MANAGER_MODULE_KEYS: {error}") from error


class Running(NamedTuple):
    manager: Manager
    #: Each ends when something has failed for good, with that failure.
    vital: list["asyncio.Task[None]"]


class AtWork(NamedTuple):
    running: Running
    #: The way to remote proplets, if there is one.
    remote: MqttFleet | None


@contextlib.asynccontextmanager
async def running_manager(parts: ManagerParts) -> AsyncIterator[Running]:
    """Open the store, start the writer and the proplets, and stop all of it in order.

    This is a manager that shares its store with no other; see ``several`` for one that does.
    """
    async with contextlib.AsyncExitStack() as stack:
        store, directory = await _opened_store(parts, stack)
        stack.push_async_callback(store.close)
        who = identity.begin(directory) if parts.mqtt else None
        yield (await stack.enter_async_context(managing(parts, store, who))).running


@contextlib.asynccontextmanager
async def managing(
    parts: ManagerParts, store: Store, who: Who | None, lead: Lead | None = None
) -> AsyncIterator[AtWork]:
    """Take up the work that a store has, with all proplets, and stop in order.

    With a broker, ``who`` is the identity there. Where several managers share the store, ``lead`` is the
    right to do all that.
    """
    async with contextlib.AsyncExitStack() as stack:
        manager = Manager(
            store,
            policy=parts.policy,
            keep_ended_s=parts.keep_ended_s,
            history_s=parts.history_s,
            lead=lead,
            secrets_key=parts.secrets_key,
        )
        await manager.load()
        remote = _mqtt_fleet(manager, parts, who, lead) if who is not None else None
        local = LocalFleet(manager, remote)
        manager.connect(local)
        await start_within(stack, manager)
        vital = [manager.running]
        if remote is not None:
            await start_within(stack, remote)
            vital.append(remote.running)
        launch_of = parts.launch_of or _launch_of(parts)
        supervisor = Supervisor(local, _local_ids(manager, parts.proplets), launch_of)
        await start_within(stack, supervisor)
        yield AtWork(Running(manager, vital), remote)


async def _opened_store(parts: ManagerParts, stack: contextlib.AsyncExitStack) -> tuple[SqliteStore, Path]:
    """Open the store, and give the directory of the identity that goes with it.

    A store that was not closed in order is looked at first, and one of an earlier version is migrated: that
    may take long.

    A new store needs a new identity: proplets then end what they run for the store before.
    """
    if parts.storage == "memory":
        # Its proplets keep their modules there, as those of another manager would.
        stack.enter_context(contextlib.closing(lock_directory(parts.data_dir)))
        in_memory = MemoryStore(history_bytes=parts.history_bytes)
        return in_memory, in_memory.directory
    opening = partial(
        SqliteStore, parts.data_dir, durability=parts.durability, history_bytes=parts.history_bytes
    )
    return await beside(opening), parts.data_dir


def _mqtt_fleet(manager: Manager, parts: ManagerParts, who: Who, lead: Lead | None) -> MqttFleet:
    assert parts.mqtt is not None
    where = f"{socket.gethostname()}, process {os.getpid()}"
    return MqttFleet(
        manager,
        _watchful(parts.mqtt, parts.policy),
        Standing(who.id, who.epoch, where, is_leased=lead is not None),
        allow_foreign=parts.allow_foreign,
        signatures=Signatures(parts.mqtt, parts.proplet_keys, parts.signatures),
        proplet_keys=parts.proplet_keys,
        lead=lead,
    )


def _watchful(mqtt: MqttSettings, policy: Policy) -> MqttSettings:
    """Set keep-alive so that a dead connection is noticed before its silence could end a lease."""
    return msgspec.structs.replace(
        mqtt, keep_alive_s=max(min(mqtt.keep_alive_s, int(policy.liveness_s / 5)), 1)
    )


def _local_ids(manager: Manager, count: int) -> list[str]:
    """Give ids, those of earlier local proplets first, so that a proplet stays the same over restarts."""
    known = [proplet.id for proplet in manager.proplets() if proplet.is_local]
    return [*known, *(str(uuid.uuid4()) for _ in range(count - len(known)))][:count]


def _launch_of(parts: ManagerParts) -> LaunchOf:
    def launch(proplet_id: str, descriptor: int) -> Launch:
        assert parts.proplet is not None
        own = local_parts(parts.proplet, proplet_id, parts.concurrency, parts.data_dir / "proplets")
        # -P: of modules in the working directory, where guests may write, none is loaded.
        command = [sys.executable, "-P", "-m", "propeller.proplet", str(descriptor)]
        return Launch(command, parts_to_json(own))

    return launch
