"""Runs one of several managers that share a database: it follows, and leads while the lease is its own."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import socket
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from propeller.api.app import create_app
from propeller.api.following import create_follower_app
from propeller.api.forwarding import Forwarding
from propeller.assembly.access import close_ways, refuse_unasked, ways_of
from propeller.assembly.deafness import Deafness
from propeller.assembly.front import Front
from propeller.assembly.lifetime import (
    give_up,
    on_hangup,
    raise_failure,
    start_within,
    stop_asked,
    until_over,
)
from propeller.assembly.manager_parts import AtWork, ManagerParts, managing
from propeller.assembly.serving import guarded, listen, own_certificate, server_of, url_of
from propeller.errors import LeadershipLost, StoreUnusable, Unavailable
from propeller.manager.follower import Follower
from propeller.manager.keyring import Keyring
from propeller.manager.lead import SharedLead, Term
from propeller.manager.leaders import Leaders
from propeller.manager.leadership import Times
from propeller.store.lead import Leader
from propeller.store.postgres.commits import DELETIONS, EVENTS
from propeller.store.postgres.lease import LEADER, Lease
from propeller.store.postgres.link import Outage
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore
from propeller.store.postgres.tokens import TOKENS
from propeller.store.sqlite.opening import lock_directory

_log = logging.getLogger(__name__)

#: How long a program that begins waits for its database.
_OPEN_S_MAX = 60.0
_AGAIN_S = 0.5
#: What waits for a leader when this manager is stopped is answered within this time.
_STOP_S_MAX = 8
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  nothing is bound here


async def serve_one_of_several(parts: ManagerParts, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; another manager leads within a moment then, if there is one."""
    assert parts.postgres is not None
    stop = stop_asked()
    listeners = listen(parts.http.host, parts.http.port)
    refuse_unasked(parts.auth, listeners)
    url = url_of(parts.http, listeners)
    async with contextlib.AsyncExitStack() as stack:
        address = address_of(parts, url)
        if not parts.advertise_url and leads_nowhere_else(address):
            _log.warning(
                "managers on other machines can't reach this one at %s; if there are any, let it listen "
                "where they do (--http-host), and name that URL with --advertise-url",
                address,
            )
        if parts.proplets:  # of two managers here each needs a directory of its own for its proplets
            stack.enter_context(contextlib.closing(lock_directory(parts.data_dir)))
        one = OneOfSeveral(parts, parts.postgres, address)
        ways = ways_of(parts.auth, one.keyring, oidc=parts.oidc, certificates=parts.certificates)
        stack.push_async_callback(close_ways, ways)
        app = guarded(one.front, parts.http, listeners, address, keyring=one.keyring, ways=ways)
        server = server_of(app, parts.http, stop_s_max=_STOP_S_MAX)
        on_hangup(server.certificate)
        serving = asyncio.create_task(server.serve(sockets=listeners))
        opening = asyncio.create_task(one.open(stack, stop))
        turns: list[asyncio.Task[None]] = []
        try:
            await until_over(stop, [opening, serving])
            if opening.done():
                opening.result()
                announce(url)
                turns.append(asyncio.create_task(one.take_turns(stop)))
                await until_over(stop, [*turns, serving])
                stop.set()
                await asyncio.wait(turns)
                await one.give_back()
            else:
                await give_up(opening)
        finally:
            server.should_exit = True
            await serving
    raise_failure(turns)


def address_of(parts: ManagerParts, url: str) -> str:
    """Give the URL for other managers: as it is set, or where we listen.

    One that listens on all addresses gives the one that leads to the database.
    """
    if parts.advertise_url or parts.http.host not in _EVERYWHERE:
        return parts.advertise_url or url
    assert parts.postgres is not None
    own, split = _own_address(parts.postgres), urlsplit(url)
    return urlunsplit(split._replace(netloc=f"[{own}]:{split.port}" if ":" in own else f"{own}:{split.port}"))


def leads_nowhere_else(address: str) -> bool:
    """Say whether a URL leads to the machine itself, from whichever it is asked for."""
    host = urlsplit(address).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _own_address(database: PostgresSettings) -> str:
    with contextlib.suppress(OSError, UnicodeError):
        family, kind, _, _, there = socket.getaddrinfo(database.host, database.port, type=socket.SOCK_DGRAM)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.connect(there)  # which sends nothing
            return str(probe.getsockname()[0])
    return socket.gethostname()


class OneOfSeveral:
    """A manager on PostgreSQL, from its start to its end."""

    def __init__(self, parts: ManagerParts, settings: PostgresSettings, address: str) -> None:
        """Prepare it; ``address`` is the URL at which other managers reach it."""
        self.front = Front(LeadershipLost("this manager is starting: it opens its database; ask again later"))
        self.keyring = Keyring()
        self._parts = parts
        self._address = address
        self._instance_id = parts.mqtt.entity_id if parts.mqtt else uuid.uuid4().hex
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._leaders = Leaders()
        outage = Outage(settings)
        self._store = PostgresStore(settings, history_bytes=parts.history_bytes, outage=outage)
        self._lease = Lease(settings, self._told, outage)
        times = Times.of(settings.lease_s)
        self._look_every_s = times.poll_every
        self._lead = SharedLead(self._lease, times, holder=self._holder, address=address)
        self._forwarding = Forwarding(
            self._leaders, instance_id=self._instance_id, own=own_certificate(parts.http)
        )
        self._follower: Follower | None = None
        self._has_changed = asyncio.Event()
        self._deafness = Deafness(self._lease, parts.mqtt.address) if parts.mqtt else None

    async def open(self, stack: contextlib.AsyncExitStack, stop: asyncio.Event) -> None:
        """Open the database, follow, and begin to ask for the lead, all until the stack is left."""
        stack.push_async_callback(self._store.close)
        await self._store.open(_OPEN_S_MAX)
        stack.push_async_callback(self.keyring.close)
        await self.keyring.open(self._store)
        stack.callback(self._forwarding.close)
        stack.push_async_callback(self._lease.close)
        await self._lease.start()
        learning = asyncio.create_task(self._learn_who_leads())
        stack.callback(learning.cancel)
        stack.push_async_callback(self._stop_following)
        await self._follow_again(stop)
        await start_within(stack, self._lead)

    async def give_back(self) -> None:
        """Ask for the lead no more, give it back, and end all streams of events."""
        await self._lead.stop()
        self._forwarding.end_streams()
        if self._follower is not None:
            self._follower.feed.close()

    def _told(self, channel: str, text: str) -> None:
        """Take in a notice of the database; without text, some may have been missed."""
        if channel == LEADER:
            self._has_changed.set()
            self._lead.freed()
            if self._deafness is not None:
                self._deafness.told(text, leads=self._lead.held is not None)
        elif channel == TOKENS:
            self.keyring.changed()
        elif self._follower is None:
            return
        elif not text:
            self._follower.feed.missed()
        elif channel == EVENTS:
            self._follower.feed.heard(int(text))
        elif channel == DELETIONS:
            self._follower.feed.heard_of_deletions(text)

    async def _learn_who_leads(self) -> None:
        """Know who leads while that is another, to the end: then what has come is still forwarded."""
        while True:
            self._has_changed.clear()
            if self._lead.held is None:
                with contextlib.suppress(StoreUnusable, Unavailable):
                    self._leaders.learn(await self._lease.leader())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_every_s):
                    await self._has_changed.wait()

    # -- following -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Answer as one that does not lead."""
        follower = Follower(self._store, self._leaders, job_mode=self._parts.policy.job_mode)
        await follower.start()
        app = create_follower_app(
            follower, self._forwarding, instance_id=self._instance_id, has_page=self._parts.has_page
        )
        self._follower = follower
        self.front.follow(app)

    async def _follow_again(self, stop: asyncio.Event) -> None:
        """Answer as one that does not lead any more, once the database can be read."""
        while self._follower is None:
            try:
                await self._follow()
            except (StoreUnusable, Unavailable) as error:
                if stop.is_set():
                    return
                _log.warning("the events of other managers can't be followed yet: %s", error)
                await asyncio.sleep(_AGAIN_S)

    async def _stop_following(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.stop()

    # -- leading ---------------------------------------------------------------------------------------------

    async def take_turns(self, stop: asyncio.Event) -> None:
        """Follow and lead in turn until ``stop`` is set, or something has failed for good."""
        while not stop.is_set():
            taking = asyncio.create_task(self._lead.taken())
            await until_over(stop, [taking, self._lead.running])
            raise_failure([self._lead.running])
            if not taking.done():
                taking.cancel()
                return
            await self._lead_for(taking.result(), stop)

    async def _lead_for(self, term: Term, stop: asyncio.Event) -> None:
        """Lead until that is lost, or the program is to stop."""
        quiet: asyncio.Task[None] | None = None
        try:
            async with contextlib.AsyncExitStack() as stack:
                beginning = asyncio.create_task(self._begin_to_lead(term, stack))
                await until_over(stop, [beginning])
                if not beginning.done():  # there is much to read, or the database is away
                    beginning.cancel()
                    await asyncio.wait({beginning})
                    return
                at_work = beginning.result()
                quiet = asyncio.create_task(_keep_quiet(term, at_work, stop))
                await self._lead_with(at_work, term, stop)
        except LeadershipLost:
            term.refused()
        finally:
            self._store.follow()
            if quiet is not None:
                quiet.cancel()
        gc.unfreeze()
        if not stop.is_set():
            gc.collect()  # it is much, and nothing else would look for it soon

    async def _begin_to_lead(self, term: Term, stack: contextlib.AsyncExitStack) -> AtWork:
        """Take up the work, to be ended with the stack."""
        await self._store.lead(term.held)
        who = await self._store.begin_epoch() if self._parts.mqtt else None
        if who is None and await self._store.has_been_at_a_broker():
            _log.warning(
                "this manager has no broker, and others of its database have had one: while it leads, "
                "nothing reaches the proplets there; give all managers of a database the same settings"
            )
        return await stack.enter_async_context(managing(self._parts, self._store, who, term))

    async def _lead_with(self, at_work: AtWork, term: Term, stop: asyncio.Event) -> None:
        (manager, proper), remote = at_work
        app = create_app(manager, instance_id=self._instance_id, has_page=self._parts.has_page)
        self.front.lead(app, term)
        self._leaders.learn(Leader(term.held.token, self._holder, self._address))
        await self._stop_following()
        gc.freeze()
        _log.info("this manager leads, with token %d", term.held.token)
        over = asyncio.create_task(term.over())
        beside = [over]
        if self._deafness is not None:
            beside.append(asyncio.create_task(self._deafness.give_way(term, lambda: manager.is_deaf)))
        vital = [*proper, self._lead.running]
        await until_over(stop, [over, *vital])
        for task in beside:
            task.cancel()
        manager.feed.close()
        if over.done() or _is_lost(manager.running) or not term.may_act:
            term.refused()
            _log.warning("this manager does not lead any more")
            if remote is not None:
                await remote.pause()
            await manager.abandon()
        else:
            raise_failure(vital)
        await self._follow_again(stop)


def _is_lost(writer: "asyncio.Task[None]") -> bool:
    return writer.done() and not writer.cancelled() and isinstance(writer.exception(), LeadershipLost)


async def _keep_quiet(term: Term, at_work: AtWork, stop: asyncio.Event) -> None:
    """Keep away from the broker while this manager may not act, and then let nothing keep it from ending."""
    (manager, _), remote = at_work
    while True:
        await term.silent()
        if not term.is_over:
            _log.warning("this manager may not act: its lease is over, and the database has not renewed it")
        if remote is not None:
            await remote.pause()
        if stop.is_set():
            await manager.abandon()
            return
        await term.acting()
        _log.warning("this manager may act again: nobody else has taken the lead")
        if remote is not None:
            await remote.resume()
