"""The part of a store that keeps the public keys of proplets that joined with a token."""

from typing import Any, Protocol

import msgspec


class PropletKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key that a proplet signs with from its first contact on, for good."""

    proplet_id: str
    #: As text, as ``wire.fleet.keys`` writes it.
    public_key: str
    #: Of the token that it joined with, which nobody else can use after it.
    token_id: str
    #: ns since 1970.
    bound_at: int


#: As the fields are called.
COLUMNS = PropletKey.__struct_fields__


class PropletKeyStore(Protocol):
    """Keys of proplets; what is written is durable when the operation returns."""

    async def proplet_keys(self) -> list[PropletKey]:
        """Read all, those that were bound first before the others."""

    async def bind_proplet_key(self, key: PropletKey) -> bool:
        """Keep a key; False, and nothing is changed, if its proplet has one or its token was used."""


def row_of(key: PropletKey) -> tuple[Any, ...]:
    return msgspec.structs.astuple(key)


def proplet_key_of(row: tuple[Any, ...]) -> PropletKey:
    return PropletKey(**dict(zip(COLUMNS, row, strict=True)))
