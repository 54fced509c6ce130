"""The context that every handler works with: what is committed, the manager, and the caches of the API."""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import cached_property

import msgspec
from starlette.requests import Request

from propeller.access.principal import Principal
from propeller.api.calls import AnyInterface, interface_of
from propeller.api.event_texts import EventTexts
from propeller.api.inspections import Inspections
from propeller.api.looks import Looks
from propeller.api.overviews import Overviews
from propeller.api.turns import Turns
from propeller.core.events import Command
from propeller.core.idempotency import Key
from propeller.core.model import JobMode, Module, Task
from propeller.errors import PropellerError, no_such
from propeller.manager.feed import Feed
from propeller.manager.follower import Follower
from propeller.manager.keyring import Keyring
from propeller.manager.service import Manager
from propeller.runtime.core_module.interface import HEAD_BYTES
from propeller.store.lead import Leader
from propeller.store.port import Store
from propeller.wire.http.tasks import INLINE_FILE_BYTES_MAX

HttpRequest = Request
#: The key of a request's scope that holds the context.
CONTEXT = "propeller.context"
#: The key of a request's scope that holds who sends it.
PRINCIPAL = "propeller.principal"
#: The key of a request's scope that holds the tokens that there are.
KEYRING = "propeller.keyring"

_FILES_KEPT = 256
_INTERFACES_KEPT = 64
#: Of exports and imports: an interface with more takes much memory.
_NAMES_KEPT_MAX = 512


class Files:
    """Small modules in base64, as answers show them; those used last are kept in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, str] = OrderedDict()

    async def of(self, tasks: Iterable[Task]) -> dict[str, str]:
        """Return the modules of these tasks by digest, without those too large for answers."""
        wanted = {
            task.spec.module.digest
            for task in tasks
            if task.spec.module is not None and task.spec.module.size_bytes <= INLINE_FILE_BYTES_MAX
        }
        found = {digest: self._kept[digest] for digest in wanted if digest in self._kept}
        for digest in found:
            self._kept.move_to_end(digest)
        missing = wanted - found.keys()
        if missing:
            read = {
                digest: base64.b64encode(data).decode()
                for digest, data in (await self._store.modules(missing)).items()
            }
            found |= read
            self._keep(read)
        return found

    def remember(self, modules: Mapping[Module, bytes]) -> None:
        """Keep modules that have just been stored and are about to be shown."""
        self._keep(
            {
                module.digest: base64.b64encode(data).decode()
                for module, data in modules.items()
                if module.size_bytes <= INLINE_FILE_BYTES_MAX
            }
        )

    def _keep(self, files: Mapping[str, str]) -> None:
        self._kept.update(files)
        while len(self._kept) > _FILES_KEPT:
            self._kept.popitem(last=False)


class Interfaces:
    """Interfaces of modules; small ones that were used last are kept in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[Module, AnyInterface | None] = OrderedDict()

    async def of(self, module: Module) -> AnyInterface | None:
        """Read an interface; None where ``interface_of`` gives none for its head."""
        if module in self._kept:
            self._kept.move_to_end(module)
            return self._kept[module]
        part = await self._store.module_part(module.digest, 0, HEAD_BYTES)
        if part is None:  # the module was replaced just now
            return None
        found = await asyncio.to_thread(interface_of, module, part[1])
        if found is None or found.name_count <= _NAMES_KEPT_MAX:
            self._kept[module] = found
        if len(self._kept) > _INTERFACES_KEPT:
            self._kept.popitem(last=False)
        return found


#: Whether the manager has done what the present request wants.
HAS_DONE = ContextVar("has_done", default=False)


class Once(msgspec.Struct):
    """A request with an idempotency key, and how far it has come."""

    key: Key
    #: True if it came before and was carried out.
    was_done_before: bool = False
    #: True once the manager was asked for what it wants.
    is_asked: bool = False


class NeedsLeader(Exception):
    """Ends the handling of a request by a manager that does not lead: the one that leads is to answer it."""


class Context:
    """What is committed, the manager behind the API, and the caches of the API."""

    #: The present request, if it has an idempotency key.
    once: Once | None = None

    def __init__(self, one: Manager | Follower, *, instance_id: str) -> None:
        """Take the manager, which leads or follows; it shows what is committed already."""
        self._one = one
        self.instance_id = instance_id
        self.files = Files(one.store)
        self.interfaces = Interfaces(one.store)
        self.inspections = Inspections()
        self.checks = Turns("too many files wait to be checked")
        self.looks = Looks(lambda: one.is_at_work)
        self.event_texts = EventTexts()
        #: Runs functions that take long, one at a time, because each of them takes memory too.
        self.aside = ThreadPoolExecutor(1, thread_name_prefix="aside")

    @property
    def store(self) -> Store:
        return self._one.store

    @property
    def feed(self) -> Feed:
        return self._one.feed

    @property
    def job_mode(self) -> JobMode:
        """The mode of a job that names none."""
        return self._one.job_mode

    @property
    def manager(self) -> Manager:
        """The manager, with all that its memory knows; raise ``NeedsLeader`` if it does not lead."""
        if isinstance(self._one, Follower):
            raise NeedsLeader
        return self._one

    @property
    def follows(self) -> bool:
        """True if another manager leads, or nobody."""
        return isinstance(self._one, Follower)

    @property
    def has_leader(self) -> bool:
        """True if somebody leads, this manager or another."""
        return not self.follows or self.leader is not None

    @property
    def leader(self) -> Leader | None:
        """The other manager that leads; None if this one does, or nobody."""
        return self._one.leaders.now if isinstance(self._one, Follower) else None

    @cached_property
    def overviews(self) -> Overviews:
        return Overviews(self.manager)

    async def ask(self, command: Command, modules: dict[Module, bytes] | None = None) -> list[Task]:
        """Ask the manager for what the present request wants, once if it has an idempotency key.

        It raises what ``Manager.ask`` and ``Manager.ask_once`` do.
        """
        once = self.once
        if once is None:
            changed = await self.manager.ask(command, modules)
            HAS_DONE.set(True)
            return changed
        assert not once.is_asked, "a request is one command: of two, a crash may come between"
        once.is_asked = True
        done = await self.manager.ask_once(once.key, command, modules)
        HAS_DONE.set(True)
        once.was_done_before = done.was_done_before
        return done.tasks

    @property
    def was_done_before(self) -> bool:
        """True if the present request came before and was carried out: then nothing is to be checked."""
        return self.once is not None and self.once.was_done_before


def context_of(request: HttpRequest) -> Context:
    context = request.scope[CONTEXT]
    assert isinstance(context, Context)
    return context


def principal_of(request: HttpRequest) -> Principal:
    """Say who sends a request; raise the error that stands in the place of somebody if nobody knows."""
    principal = request.scope[PRINCIPAL]
    if isinstance(principal, PropellerError):
        raise principal
    assert isinstance(principal, Principal)
    return principal


def keyring_of(request: HttpRequest) -> Keyring:
    keyring = request.scope[KEYRING]
    assert isinstance(keyring, Keyring)
    return keyring


async def stored_task(context: Context, task_id: str) -> Task:
    """Read a task, or raise ``NotFound``."""
    task = await context.store.task(task_id)
    if task is None:
        raise no_such("task", task_id)
    return task


def id_in_path(request: HttpRequest) -> str:
    return str(request.path_params["id"])
