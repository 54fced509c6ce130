"""How PostgreSQL says what lists filter by (``filters``), and how it numbers values."""

from collections import defaultdict
from functools import cache, lru_cache
from itertools import count
from typing import Any

from propeller.store.filters import Dialect

#: The schema has no index of a key and value of metadata that have more bytes together.
_INDEXED_BYTES_MAX = 2000
#: No character behind this has a case.
_LAST_CASED = 0x1FFFF


@lru_cache(maxsize=1000)
def numbered(sql: str) -> str:
    """Number the question marks of a query: ``$1``, ``$2`` and so on."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in zip(count(1), rest, strict=False))


def _metadata_table(key: str, value: str) -> str:
    size = len(key.encode()) + len(value.encode())
    return "task_metadata" if size <= _INDEXED_BYTES_MAX else "metadata_of_specs"


def _called(record_id: str, name: str, text: str) -> tuple[str, list[Any]]:
    folded = text.casefold()
    if text[0] in "01" and not {"\0", "\1"} & {*text}:
        # It is no part of how a character is kept that text can't hold (``texts``).
        name = f"replace(replace({name}, chr(1) || '0', chr(2)), chr(1) || '1', chr(2))"
    if text.isascii():  # then only the case of ASCII counts, as in SQLite
        lower = (
            f'(starts_with(lower({record_id} COLLATE "C"), ?) OR strpos(lower({name} COLLATE "C"), ?) > 0)'
        )
        return lower, [folded, folded]
    id_, of_id = _folded(record_id, folded)
    name_, of_name = _folded(name, folded)
    return f"(starts_with({id_}, ?) OR strpos({name_}, ?) > 0)", [*of_id, folded, *of_name, folded]


def _folded(value: str, sought: str) -> tuple[str, list[Any]]:
    """Fold the case of a value, so far as a folded text can be in it: PostgreSQL knows no case folding."""
    chars = {char for part in set(sought) for char in _folding_to().get(part, ())}
    alike = sorted(char for char in chars if len(char.casefold()) == 1)
    values: list[Any] = ["".join(alike), "".join(char.casefold() for char in alike)]
    sql = f"translate({value}, ?, ?)"
    for char in sorted(chars.difference(alike)):
        sql = f"replace({sql}, ?, ?)"
        values += [char, char.casefold()]
    return sql, values


@cache
def _folding_to() -> dict[str, list[str]]:
    """Give the characters that another takes the place of when the case is folded, by each of these."""
    found: dict[str, list[str]] = defaultdict(list)
    for char in map(chr, range(_LAST_CASED)):
        folded = char.casefold()
        if folded != char:
            for part in set(folded):
                found[part].append(char)
    return found


DIALECT = Dialect(
    task_name="(json_of(t.spec) ->> 'name')",
    by_live="",
    metadata_table=_metadata_table,
    called=_called,
)
