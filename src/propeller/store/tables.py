"""The tables that hold what a store was told, the same in every database.

All others follow from these: counts and indexes, which triggers keep, or the one who writes.
"""

from typing import NamedTuple

from propeller.store.proplet_keys import COLUMNS as PROPLET_KEY_COLUMNS
from propeller.store.tokens import COLUMNS as TOKEN_COLUMNS


class Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    #: The column that numbers the rows; ``""`` where a row has a name.
    numbered_by: str = ""
    #: How many rows are held at once while they are moved; modules are large.
    rows_at_once: int = 200


def _table(name: str, columns: str, numbered_by: str = "", rows_at_once: int = 200) -> Table:
    return Table(name, tuple(columns.split()), numbered_by, rows_at_once)


_END = "results results_encoding error error_kind exit_code"
_EXECUTION = f"seq proplet_id attempt state {_END} started_at finished_at ran"

#: In the order in which they are filled.
TABLES = (
    _table("tasks", "seq id workflow_id job_id created_at spec namespace created_by"),
    _table(
        "runs",
        "seq state attempt losses proplet_id placed_at started_at finished_at updated_at "
        f"{_END} reason was_up restarts is_up timing ran",
    ),
    _table(
        "groups",
        "seq id kind name mode state live counts created_at fail_fast started_at finished_at definition "
        "timing namespace created_by",
    ),
    _table("modules", "digest bytes", rows_at_once=1),
    _table("events", "last_id first_id transitions task_seq"),
    _table("proplets", "id name is_local boot is_cordoned drain_by metadata created_at"),
    _table("executions", _EXECUTION),
    _table("attempts", _EXECUTION),
    _table("past_attempts", "number id attempt", "number"),
    _table("going", "id kind"),
    _table("idempotency_keys", "key fingerprint created_at task_ids status location answer", rows_at_once=20),
    _table("task_samples", "id owner number written_at sample", "id"),
    _table("proplet_samples", "id owner number written_at sample", "id"),
    _table("log_streams", "id owner attempt proplet_id stream bytes is_full", "id"),
    _table("log_pieces", "id log_stream start written_at text is_cut", "id", 20),
    _table("invocations", "number owner invocation id is_open", "number"),
    _table("secrets", "id namespace name version created_at created_by key_id wrapped box deleted_at", "id"),
    _table("secret_uses", "id namespace name version task_id attempt proplet_id at", "id"),
    _table("pace", "id step started completed failed ended_otherwise waiting running", "id"),
    _table("tokens", " ".join(TOKEN_COLUMNS)),
    _table("proplet_keys", " ".join(PROPLET_KEY_COLUMNS)),
)
