"""Names of proplets for people, and ids of attempts for foreign proplets.

Proplets are named in the contract's style (``Ada-Lovelace``), the same for the same id.
"""

import re
from hashlib import sha256

_FIRST = (
    "Ada Alan Barbara Claude Dorothy Edsger Emmy Frances Grace Hedy Ida Jean John Karen Katherine Leslie "
    "Lise Margaret Marie Mary Niklaus Radia Rosalind Shafi Sophie Tim Tony Vera Whitfield Wilhelmina"
).split()
_LAST = (
    "Allen Bartik Curie Dijkstra Franklin Goldwasser Goodall Hamilton Hoare Hopper Jackson Johnson Kleene "
    "Lamarr Lamport Liskov Lovelace McCarthy Meitner Neumann Noether Perlman Rhodes Rubin Shannon "
    "Somerville Turing Vaughan Wilson Wirth"
).split()


def proplet_name(proplet_id: str) -> str:
    number = int.from_bytes(sha256(proplet_id.encode()).digest()[:8])
    return f"{_FIRST[number % len(_FIRST)]}-{_LAST[number // len(_FIRST) % len(_LAST)]}"


_WITH_ATTEMPT = re.compile(r"(.*)~([1-9][0-9]{0,17})", re.DOTALL)


def foreign_id(task_id: str, attempt: int) -> str:
    """Make the id of an attempt for a foreign proplet.

    The proplet sends the id back with the result, which shows that a result is late. The first attempt has
    the task's own id, unless that looks like an id with an attempt.
    """
    if attempt == 1 and not _WITH_ATTEMPT.fullmatch(task_id):
        return task_id
    return f"{task_id}~{attempt}"


def attempt_of(given_id: str) -> tuple[str, int]:
    """Read the task and the attempt from an id that ``foreign_id`` made."""
    found = _WITH_ATTEMPT.fullmatch(given_id)
    return (found[1], int(found[2])) if found else (given_id, 1)
