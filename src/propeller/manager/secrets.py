"""The secrets of a manager: kept encrypted, and sealed for the proplet of an attempt when its start is sent.

The rules and the store know names and what is encrypted. A value is in the clear here only while it is taken
in or sealed. Only the manager that leads has this: what it has written is what there is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from propeller.access.namespaces import shown
from propeller.core.effects import Outgoing, SendStart
from propeller.core.events import Fact, RunEnded, RunHandedBack
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Proplet
from propeller.errors import Invalid, NotFound, Unavailable
from propeller.manager.batch_writer import BatchWriter
from propeller.store.port import Store
from propeller.store.secrets import SecretUse, StoredSecret
from propeller.vault.errors import CannotSeal, CannotUnlock
from propeller.vault.masking import CHARS_MIN
from propeller.vault.master_keys import KeySource

if TYPE_CHECKING:  # cryptography is loaded by those who have secrets
    from propeller.vault.envelope import Locked, Ring
    from propeller.vault.sealing import Sealer

_log = logging.getLogger(__name__)

#: An environment takes no more in one variable on every system.
VALUE_BYTES_MAX = 64 * 1024
_SEALERS_KEPT = 1_000
_BATCH = 500
_WAITING_MAX = 100_000

_encode = msgspec.json.Encoder().encode


class Rekeyed(NamedTuple):
    #: How many secrets were wrapped anew.
    secrets: int
    key_id: str


class Secrets:
    """Takes in secrets, and fills them in."""

    def __init__(
        self,
        store: Store,
        key: KeySource,
        *,
        proplet: Callable[[str], Proplet | None],
        tell: Callable[[Fact], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare it; call ``load`` next. ``tell`` takes in what becomes of starts that can't be sent."""
        self._store = store
        self._key = key
        self._proplet = proplet
        self._tell = tell
        self._clock = clock
        self._ring: Ring | None = None
        #: The newest versions, by namespace and name.
        self._newest: dict[tuple[str, str], StoredSecret] = {}
        self._sealers: OrderedDict[str, Sealer] = OrderedDict()
        #: Why secrets can't be used; ``""`` while they can.
        self.obstacle = ""
        self._changing = asyncio.Lock()
        self._uses = BatchWriter(
            "uses of secrets", self._write_uses, batch_max=_BATCH, waiting_max=_WAITING_MAX
        )

    async def load(self) -> None:
        """Take up the secrets that there are, and look for their key; without it all else goes on."""
        self._newest = {(one.namespace, one.name): one for one in await self._store.secrets()}
        self._look_for_key()
        if self.obstacle:
            _log.error("secrets are unavailable: %s", self.obstacle)

    def _look_for_key(self) -> None:
        try:
            self._ring, self.obstacle = self._key.read(), ""
        except Unavailable as error:
            self._ring, self.obstacle = None, str(error)
            return
        strange = sorted({one.key_id for one in self._newest.values() if not self._has(one.key_id)})
        if strange and self._ring is None:
            place = self._key.place or "MANAGER_SECRETS_KEY_FILE"
            self.obstacle = (
                f"their key {', '.join(strange)} is not there: put it back into {place}; if it is lost, "
                "delete the secrets and set them again"
            )
        elif strange:
            self.obstacle = (
                f"the key in {self._key.place} is another than theirs ({', '.join(strange)}): put that back, "
                "below the new one; if it is lost, delete the secrets and set them again"
            )

    def _has(self, key_id: str) -> bool:
        return self._ring is not None and key_id in self._ring

    @property
    def obstacles(self) -> list[str]:
        """Say what is in the way, for those who ask whether all is well."""
        return [f"secrets: {self.obstacle}"] if self.obstacle else []

    def has(self, namespace: str, name: str) -> bool:
        """Say whether there is a secret of this name."""
        return (namespace, name) in self._newest

    # -- changes -------------------------------------------------------------------------------------------

    async def put(self, namespace: str, name: str, value: str, by: str) -> StoredSecret:
        """Keep a value as the newest version of a secret.

        Raises:
            Invalid: The value can't be a secret.
            Unavailable: There is no key, or another than that of the secrets there are.

        """
        if len(value) < CHARS_MIN:
            raise Invalid(
                f"value: it has fewer than {CHARS_MIN} characters, and to mask so short a text would ruin "
                "what guests print; give a longer one"
            )
        if len(value.encode()) > VALUE_BYTES_MAX or "\0" in value:
            raise Invalid(f"value: give at most {VALUE_BYTES_MAX:,} bytes of text without U+0000")
        async with self._changing:
            ring = self._ring_for_writing()
            versions = await self._store.secret_versions(namespace, name)
            version = versions[0].version + 1 if versions else 1
            locked = ring.lock(value.encode(), _about(namespace, name, version))
            secret = StoredSecret(
                namespace, name, version, self._clock(), by, *msgspec.structs.astuple(locked)
            )
            await self._store.write_secret(secret)
            self._newest[namespace, name] = secret
        return secret

    def _ring_for_writing(self) -> Ring:
        if self._ring is None or self.obstacle:
            self._look_for_key()
        if self.obstacle:
            raise Unavailable(f"secrets are unavailable: {self.obstacle}")
        if self._ring is None:
            if not self._key.is_own:
                raise Unavailable(
                    "there is no key to encrypt secrets with: give all managers of the database the same "
                    "one, with MANAGER_SECRETS_KEY_FILE or MANAGER_SECRETS_KEY; make it with: "
                    "openssl rand -base64 32"
                )
            self._ring = self._key.make_first()
            _log.warning("made the key of secrets: %s; keep a copy of it elsewhere", self._key.place)
        return self._ring

    async def delete(self, namespace: str, name: str) -> None:
        """Erase a secret; raise ``NotFound`` if there is none."""
        async with self._changing:
            if not await self._store.delete_secret(namespace, name, self._clock()):
                raise NotFound(f"not found: there is no secret {name} in namespace {namespace}")
            self._newest.pop((namespace, name), None)
            if self.obstacle:
                self._look_for_key()

    async def rekey(self) -> Rekeyed:
        """Wrap all secrets with a new key: one that is made, or the first that is given where it is kept.

        Raises:
            Unavailable: The keys that secrets are wrapped with are not all there.

        """
        async with self._changing:
            self._look_for_key()
            if self.obstacle:
                raise Unavailable(f"secrets are unavailable: {self.obstacle}")
            ring = self._key.make_first() if self._key.is_own else self._ring_for_writing()
            again = [
                one._replace(key_id=locked.key_id, wrapped=locked.wrapped)
                for one in self._newest.values()
                for locked in [ring.rewrapped(_locked(one), _about(one.namespace, one.name, one.version))]
            ]
            self._ring = ring
            await self._store.rewrap_secrets(again)
            self._newest.update({(one.namespace, one.name): one for one in again})
            if self._key.is_own:
                self._ring = self._key.keep_first()
        return Rekeyed(len(again), ring.first)

    # -- sending -------------------------------------------------------------------------------------------

    def filled(self, effects: Sequence[Outgoing]) -> list[Outgoing]:
        """Seal the secrets of starts for their proplets; leave out those for which that can't be done."""
        found: list[Outgoing] = []
        for effect in effects:
            if isinstance(effect, SendStart) and effect.spec.env and (names := effect.spec.secrets):
                filled = self._filled(effect, names)
                found += [] if filled is None else [filled]
            else:
                found.append(effect)
        return found

    def _filled(self, start: SendStart, names: Mapping[str, str]) -> SendStart | None:
        proplet = self._proplet(start.proplet_id)
        values, used = {}, []
        try:
            for variable, name in names.items():
                secret = self._newest.get((shown(start.spec.namespace), name))
                if secret is None:
                    raise CannotUnlock("it was deleted; set it again")
                values[variable] = self._value(secret)
                used.append(secret)
        except CannotUnlock as error:
            self._tell_failed(start, f"secret {name} of variable {variable}: {error}")
            return None
        try:
            sealer = self._sealer(proplet.sealing_key if proplet is not None else "")
        except CannotSeal as error:
            self._hand_back(start, f"its secrets can't be sealed: {error}")
            return None
        from propeller.vault.sealing import about_attempt  # noqa: PLC0415

        about = about_attempt(start.proplet_id, start.spec.id, start.attempt, start.placed_at)
        now = self._clock()
        for one in {one.name: one for one in used}.values():
            self._uses.take(
                SecretUse(
                    one.namespace, one.name, one.version, start.spec.id, start.attempt, start.proplet_id, now
                )
            )
        return msgspec.structs.replace(start, sealed=sealer.seal(values, about))

    def _value(self, secret: StoredSecret) -> str:
        if self._ring is None or secret.key_id not in self._ring:
            raise CannotUnlock(f"secrets are unavailable: {self.obstacle}")
        about = _about(secret.namespace, secret.name, secret.version)
        return self._ring.unlock(_locked(secret), about).decode()

    def _sealer(self, key: str) -> Sealer:
        sealer = self._sealers.get(key)
        if sealer is None:
            from propeller.vault.sealing import Sealer  # noqa: PLC0415

            sealer = self._sealers[key] = Sealer(key)
            if len(self._sealers) > _SEALERS_KEPT:
                self._sealers.popitem(last=False)
        return sealer

    def _tell_failed(self, start: SendStart, why: str) -> None:
        self._tell(
            RunEnded(
                proplet_id=start.proplet_id,
                task_id=start.spec.id,
                attempt=start.attempt,
                placed_at=start.placed_at,
                failure=Failure(why, ErrorKind.REFUSED),
            )
        )

    def _hand_back(self, start: SendStart, why: str) -> None:
        self._tell(
            RunHandedBack(
                proplet_id=start.proplet_id,
                task_id=start.spec.id,
                attempt=start.attempt,
                placed_at=start.placed_at,
                reason=why,
            )
        )

    # -- uses ----------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Write all uses that have been noted."""
        await self._uses.flush()

    async def _write_uses(self, batch: list[SecretUse]) -> None:
        await self._store.write_secret_uses(batch)


def _locked(secret: StoredSecret) -> Locked:
    from propeller.vault.envelope import Locked  # noqa: PLC0415

    return Locked(secret.key_id, secret.wrapped, secret.box)


def _about(namespace: str, name: str, version: int) -> bytes:
    return _encode([namespace, name, version])
