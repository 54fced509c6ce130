"""Proplets that join with a token: from then on each signs with the key that it sent, for good."""

import logging
import time
from collections.abc import Callable, Mapping

from propeller.errors import Conflict, StoreUnusable, Unavailable
from propeller.manager.signatures import Signatures
from propeller.mqtt.settings import MqttSettings
from propeller.store.proplet_keys import PropletKey, PropletKeyStore
from propeller.wire.fleet.from_proplet import Join
from propeller.wire.fleet.joining import is_proven, join_token

_log = logging.getLogger(__name__)

_TOLD_MAX = 1000


class Joining:
    """Gives tokens, and binds keys to the proplets that use them."""

    def __init__(
        self,
        settings: MqttSettings,
        store: Callable[[], PropletKeyStore],
        signatures: Signatures,
        *,
        proplet_keys: Mapping[str, str],
        on_joined: Callable[[str, int], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare.

        Args:
            settings: The channel, and the manager's own key.
            store: Gives the store that keeps what is bound.
            signatures: Are told of each key.
            proplet_keys: The keys that are known by id from the settings.
            on_joined: Is told of a proplet and its boot when its messages count from now on.
            clock: The time of day, ns.

        """
        self._settings = settings
        self._store = store
        self._signatures = signatures
        self._on_joined = on_joined
        self._clock = clock
        #: Why the first that may not join may not, as the log says.
        self._told: dict[str, str] = {}
        #: By proplet.
        self._keys = dict(proplet_keys)

    async def load(self) -> None:
        """Take up the keys of proplets that joined before; those in the settings come before them."""
        for key in await self._store().proplet_keys():
            self._bind(key)

    def token(self, id_bytes: bytes, lifetime_s: float) -> tuple[str, int]:
        """Make a token; give it with the time at which it expires, s since 1970.

        Raises:
            Conflict: This manager has no key.

        """
        if not self._settings.signing_key:
            raise Conflict(
                "this manager has no key to sign with, so no proplet can join it; set MANAGER_SIGNING_KEY "
                "(`propeller provision renew` makes one)"
            )
        expires_at = self._clock() // 10**9 + int(lifetime_s)
        return (
            join_token(self._settings.signing_key, self._signatures.public_key, id_bytes, expires_at),
            expires_at,
        )

    async def take(self, join: Join) -> None:
        """Bind the key of a proplet that proves to have a token; whoever does not is not answered."""
        try:
            refusal = await self._refusal(join)
        except (StoreUnusable, Unavailable) as error:
            _log.error("proplet %s can't join yet: %s", join.proplet_id, error)
            return
        if not refusal:
            self._on_joined(join.proplet_id, join.boot)
        elif self._told.get(join.proplet_id) != refusal and len(self._told) < _TOLD_MAX:
            self._told[join.proplet_id] = refusal
            _log.warning("proplet %s may not join: %s", join.proplet_id, refusal)

    async def _refusal(self, join: Join) -> str:
        key = self._settings.signing_key
        if not key or not is_proven(join, key, self._settings.base):
            return "it has no token of this manager"
        known = self._keys.get(join.proplet_id)
        if known is not None:
            return "" if known == join.public_key else "it has another key already, and keeps that"
        now = self._clock()
        if join.expires_at * 10**9 <= now:
            return "its token has expired; make one with: propeller proplets token"
        bound = PropletKey(
            proplet_id=join.proplet_id, public_key=join.public_key, token_id=join.token_id, bound_at=now
        )
        if not await self._store().bind_proplet_key(bound):
            return "another proplet has used its token; make one with: propeller proplets token"
        self._bind(bound)
        _log.info("proplet %s has joined: from now on it signs what it says", join.proplet_id)
        return ""

    def _bind(self, bound: PropletKey) -> None:
        key = self._keys.setdefault(bound.proplet_id, bound.public_key)
        self._signatures.bind(bound.proplet_id, key)
