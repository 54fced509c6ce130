"""How much is kept, and how much is done at once: the same in every store."""

# -- attempts ------------------------------------------------------------------------------------------------

#: How many attempts of a task are kept, besides the present one.
ATTEMPTS_KEPT = 1000
#: How many deleted tasks are remembered with their last attempts.
PAST_ATTEMPTS_KEPT = 50_000
#: How many past attempts of a task are in a graph: the newest.
ATTEMPTS_IN_GRAPH = 20

# -- lists and searches --------------------------------------------------------------------------------------

#: How many ids one query takes.
IDS_PER_QUERY = 500
#: Longer values of metadata are in no index; see the migration that made it.
INDEXED_CHARS_MAX = 1000
#: How many tasks are counted for the total of a list where an index has all that is asked for, and how many
#: are looked at one by one where it has not. A longer list says that it has more than its total.
COUNTED_MAX = 100_000
LOOKED_AT_MAX = 2_000
#: How many tasks whose ids begin alike are sorted by their creation for a page.
SORTED_MAX = 50_000
#: More failed tasks are not counted.
FAILURES_COUNTED_MAX = 100_000
#: After this time a search through tasks or the event log gives what it has found.
SEARCH_S = 0.01
#: How many tasks the first piece of a search passes over. One that is done sooner than ``SEARCH_PIECE_S`` is
#: followed by one that is twice as large, and any other by one that is half as large.
SEARCH_FIRST_PIECE = 128
SEARCH_PIECE_S = 0.005
#: How many different names of tasks a search looks at, and the tasks of how many of them it merges.
NAMES_LOOKED_AT_MAX = 2_000
NAMES_MERGED_MAX = 100

# -- the event log -------------------------------------------------------------------------------------------

#: How many changes of state are in one row at most: a search reads rows whole.
EVENTS_IN_ROW = 500
#: How many bytes are kept unless the owner chooses.
HISTORY_BYTES_KEPT = 64 * 2**20
#: The excess is deleted when it has this size, and in pieces of this size or of so many rows.
HISTORY_PIECE_BYTES = 2**20
HISTORY_PIECE_ROWS = 500
#: After this time a piece of what is too old takes in no more rows.
HISTORY_PIECE_S = 0.003

# -- idempotency keys ----------------------------------------------------------------------------------------

#: How large an answer may be that is kept, and how much is kept of all.
ANSWER_BYTES_MAX = 2**20
ANSWER_BYTES_KEPT = 64 * 2**20
#: How many keys and answers are looked at in one piece.
KEYS_PIECE = 500

# -- samples and invocations ---------------------------------------------------------------------------------

#: How many samples of one task, or of one proplet, are kept.
SAMPLES_OF_ONE = 1_000
#: How many samples of all tasks, or of all proplets, are kept.
SAMPLES_OF_ALL = 1_000_000
SAMPLES_KEPT_NS = 24 * 3600 * 1_000_000_000
#: How many old samples are deleted at once, so that no batch takes long.
SAMPLES_EXPIRED_MAX = 2_000
#: How many invocations of one task are kept.
INVOCATIONS_OF_ONE = 1_000

# -- secrets -------------------------------------------------------------------------------------------------

#: How many versions of one secret are known; only the newest has a value.
SECRET_VERSIONS_KEPT = 100
#: How many uses of one secret are kept.
SECRET_USES_KEPT = 10_000

# -- logs ----------------------------------------------------------------------------------------------------

#: How many bytes of one stream of one attempt are kept.
LOG_STREAM_BYTES_KEPT = 1024 * 1024
#: How many attempts of one task are kept.
LOG_ATTEMPTS_KEPT = 3
#: How many bytes of all tasks are kept; the streams that began first are deleted first.
LOG_BYTES_KEPT = 1024 * 1024 * 1024
#: The size that a piece counts as at least, because small ones take more room than their text.
LOG_PIECE_BYTES_MIN = 64

# -- expiry --------------------------------------------------------------------------------------------------

#: After this time a piece begins no more deletions.
FORGET_PIECE_S = 0.003
#: How many candidates are looked up at once; each is checked again before it is deleted.
FORGET_CANDIDATES_MAX = 1_000
#: How many tasks are deleted at once.
FORGET_AT_ONCE = 20
#: How many pieces of logs are deleted at once.
FORGET_LOG_PIECES = 500
#: Of how many tasks the modules are looked at in one piece.
MODULES_LOOKED_AT = 2_000

# -- the start -----------------------------------------------------------------------------------------------

#: A store up to this size is looked at as a whole before a start after a crash, and a larger one beside it.
LOOKED_AT_FIRST_BYTES = 128 * 2**20
