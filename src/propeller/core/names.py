"""Human names for proplets, in the contract's style (``Ada-Lovelace``), the same for the same id."""

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
