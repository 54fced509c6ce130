"""That a manager of a database knows what another one made or revoked, without being asked for it."""

import asyncio
import secrets

from propeller.access.making import RANDOM_BYTES, new_token
from propeller.access.principal import LOCAL
from propeller.errors import Unauthenticated
from propeller.manager.keyring import Keyring
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.store import PostgresStore
from propeller.store.postgres.tokens import TOKENS


def test_a_token_that_another_program_makes_and_revokes_is_known_within_a_second(settings):
    async def is_good(keyring, text):
        try:
            await keyring.bearer(text)
        except Unauthenticated:
            return False
        return True

    async def work():
        here, there, keyring = PostgresStore(settings), PostgresStore(settings), Keyring()
        listens = asyncio.Event()

        def told(channel, _):
            if channel == TOKENS:
                listens.set()
                keyring.changed()

        lease = Lease(settings, told)
        try:
            for store in (here, there):
                await store.open(60)
            await keyring.open(here)
            await lease.start()
            async with asyncio.timeout(60):
                await listens.wait()
            token, text = new_token(
                LOCAL,
                name="ci",
                role="viewer",
                namespaces=None,
                now=keyring.now(),
                expires_at=0,
                random=secrets.token_bytes(RANDOM_BYTES),
            )
            await there.add_token(token)
            async with asyncio.timeout(1):
                while not await is_good(keyring, text):  # noqa: ASYNC110  a notice of the database sets no event
                    await asyncio.sleep(0.005)
            await there.revoke_token(token.id, keyring.now())
            async with asyncio.timeout(1):
                while await is_good(keyring, text):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        finally:
            await keyring.close()
            await lease.close()
            await here.close()
            await there.close()

    asyncio.run(work())
