"""Connections to PostgreSQL, and what its errors mean: wait and try again, or give up with a way out."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import asyncpg

from propeller import keepalive
from propeller.errors import StoreUnusable
from propeller.keepalive import keep_alive
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db
from propeller.store.postgres.settings import PostgresSettings, quoted

#: How long one try to connect may take, and then each of the first questions.
CONNECT_S = 5.0
#: A transaction of ours that stands still for longer is over: its locks would keep another manager from
#: taking over.
_STANDSTILL_S = 2

#: What waiting may cure: a lost connection, too few resources, an operator who stepped in, a database that
#: only reads because another has taken its place, the disk.
_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresIOError,
    asyncpg.InvalidCachedStatementError,  # another program has changed the schema
    asyncpg.InternalClientError,
    OSError,
)
_FOR_GOOD = (asyncpg.DatabaseDroppedError, ssl.SSLCertVerificationError)

#: For every connection.
_SESSION = {
    "application_name": "propeller",
    "jit": "off",
    "DateStyle": "ISO",
    "idle_in_transaction_session_timeout": f"{_STANDSTILL_S}s",
    # These may be otherwise for a whole server, database or user.
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    "lock_timeout": "0",
    # The server notices as soon as we do that the network is cut.
    "tcp_keepalives_idle": str(keepalive.IDLE_S),
    "tcp_keepalives_interval": str(keepalive.AGAIN_S),
    "tcp_keepalives_count": str(keepalive.QUESTIONS),
}
#: The statements of a store go by keys, and take a few rows from wherever an index leads. So indexes are
#: right whatever the statistics say, which a young database has not got. They come again and again: one plan
#: does, and making it may take longer than the rest.
BY_KEYS = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

_STANDSTILL = "SELECT current_setting('idle_in_transaction_session_timeout')"
#: How a pool, such as PgBouncer, refuses a connection that asks for settings.
_REFUSED_BY_POOL = "unsupported startup parameter"
_POOL = (
    "is behind a pool of connections, which keeps settings from the server; connect to the server itself: "
    "look at MANAGER_POSTGRES_HOST and MANAGER_POSTGRES_PORT"
)


async def connect(settings: PostgresSettings, planning: Mapping[str, str] = MappingProxyType({})) -> Db:
    """Connect to the database; ``planning`` says how statements are planned.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: It did not work; see ``is_passing``.
        StoreUnusable: A pool is in between.

    """
    db: Db = await asyncpg.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        database=settings.database,
        ssl=_ssl(settings),
        timeout=CONNECT_S,
        max_cached_statement_lifetime=0,
        server_settings={**_SESSION, **planning},
    )
    try:
        keep_alive(db._transport)  # type: ignore[attr-defined]  # noqa: SLF001  no other way
        async with asyncio.timeout(CONNECT_S):
            await db.set_type_codec(
                "text", schema="pg_catalog", encoder=texts.encode, decoder=texts.decode, format="binary"
            )
            # A pool that drops what a connection asks for also gives it to others between two transactions.
            if await db.fetchval(_STANDSTILL) != f"{_STANDSTILL_S}s":
                raise StoreUnusable(f"PostgreSQL ({settings.place}) {_POOL}")
    except BaseException:
        db.terminate()
        raise
    return db


def _ssl(settings: PostgresSettings) -> Any:
    mode, ca_cert = settings.ssl_mode, settings.ca_cert
    if mode == "require" and ca_cert is not None:
        mode = "verify-ca"  # as libpq does
    if mode in ("disable", "prefer", "require"):
        return mode
    context = ssl.create_default_context(cafile=None if ca_cert is None else str(ca_cert))
    context.check_hostname = mode == "verify-full"
    return context


class Session(NamedTuple):
    """Names a connection among all that servers ever had."""

    pid: int
    began_at: datetime


async def meet(db: Db) -> Session:
    """Say as what the server knows a connection.

    Raises:
        asyncpg.ReadOnlySQLTransactionError: It is a standby: that may lag behind what was acknowledged.

    """
    sql = "SELECT pg_is_in_recovery(), pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    [(is_standby, pid, began_at)] = await db.fetch(sql)
    if is_standby:
        raise asyncpg.ReadOnlySQLTransactionError("the server that answers is a standby, and may lag behind")
    return Session(pid, began_at)


async def is_replaced(settings: PostgresSettings, session: Session) -> bool:
    """Ask whether the server that one reaches now is another than the one that has this connection.

    A server that has it works on it still, however long that takes. A standby can't know.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: None answers.

    """
    db = await connect(settings)
    sql = (
        "SELECT NOT pg_is_in_recovery() AND "
        "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2)"
    )
    try:
        return bool(await db.fetchval(sql, *session, timeout=CONNECT_S))
    finally:
        db.terminate()


def is_passing(error: BaseException, db: Db | None) -> bool:
    """Say whether waiting may cure an error of an operation on a connection, or of connecting (None)."""
    if isinstance(error, _FOR_GOOD) or type(error) is ConnectionError:  # the server knows no TLS
        return False
    if _is_by_pool(error):
        return False
    if isinstance(error, asyncpg.InterfaceError):
        return db is not None and db.is_closed()
    return isinstance(error, _PASSING)


def _is_by_pool(error: BaseException) -> bool:
    return isinstance(error, asyncpg.ProtocolViolationError) and _REFUSED_BY_POOL in str(error)


def reason(error: BaseException) -> str:
    """Say in words what an error is."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return str(error) or type(error).__name__


def unusable(settings: PostgresSettings, error: BaseException) -> StoreUnusable:
    """Make an error that ends the manager, with a way out."""
    variable = "MANAGER_POSTGRES"
    where = f"PostgreSQL ({settings.place})"
    match error:
        case StoreUnusable():
            return error
        case asyncpg.ProtocolViolationError() if _is_by_pool(error):
            return StoreUnusable(f"{where} {_POOL} ({reason(error)})")
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return StoreUnusable(
                f"{where} does not let the user {settings.user} in: {reason(error)}; look at "
                f"{variable}_USER and {variable}_PASS, and at the server's pg_hba.conf"
            )
        case asyncpg.InvalidCatalogNameError() | asyncpg.DatabaseDroppedError():
            return StoreUnusable(
                f"{where}: there is no such database; create it: CREATE DATABASE {quoted(settings.database)} "
                f"OWNER {quoted(settings.user)}, or name another in {variable}_DB"
            )
        case ssl.SSLError() | ConnectionError() if (
            isinstance(error, ssl.SSLError) or type(error) is ConnectionError
        ):
            return StoreUnusable(
                f"{where}: there is no TLS with it: {reason(error)}; look at {variable}_SSLMODE and "
                f"{variable}_CA_CERT"
            )
        case asyncpg.InsufficientPrivilegeError():
            return StoreUnusable(
                f"{where} refuses the user {settings.user} something: {reason(error)}; let the user own the "
                f"database: ALTER DATABASE {quoted(settings.database)} OWNER TO {quoted(settings.user)}"
            )
        case (
            asyncpg.UndefinedTableError() | asyncpg.UndefinedColumnError() | asyncpg.UndefinedFunctionError()
        ):
            return StoreUnusable(
                f"{where} lacks a part of Propeller's tables: {reason(error)}; put a backup in its place: "
                "propeller db restore FILE"
            )
        case OSError():
            return StoreUnusable(
                f"{where} can't be reached: {reason(error)}; start the server, or look at "
                f"{variable}_HOST and {variable}_PORT"
            )
    return StoreUnusable(f"{where} can't be read or written: {reason(error)}")
