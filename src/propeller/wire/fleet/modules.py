"""Messages by which a proplet asks for a module and gets it in pieces."""

import base64
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.model import Module
from propeller.wire.fleet.fields import Count, PropletId

CHUNK_BYTES = 512_000
#: The most bytes of a message with a piece of a module, besides the piece.
AROUND_PIECE_BYTES = 1024
#: The name of the registry that the manager itself answers for. A foreign proplet asks by such a name for a
#: module of the store, with its digest in hex at the end.
REGISTRY = "propeller.local"
REPOSITORY = f"{REGISTRY}/modules@sha256:"
NO_PIECE_FITS = (
    "the broker takes so small messages only that no piece of a module fits in one; raise its limit"
)


class ModuleRequest(msgspec.Struct, kw_only=True):
    """Proplet to registry: send this module. Extensions: to this proplet alone, and only these pieces."""

    #: An image reference, or, as an extension, ``sha256:<hex>``.
    app_name: str
    #: The proplet that asks; then only this proplet gets the answer.
    proplet_id: PropletId | UnsetType = UNSET
    #: The first piece that is wanted, and how many from there; without ``count`` all. With a ``count`` of 0
    #: the answer is one message with ``digest`` and ``total_chunks`` and no data.
    first: Count | UnsetType = UNSET
    count: Count | UnsetType = UNSET
    #: Extension: the start of a proplet that wants a signed answer, which then counts for that start alone.
    boot: Count | UnsetType = UNSET


class ModuleChunk(msgspec.Struct, kw_only=True):
    """Registry to proplet: one piece of a module."""

    app_name: str
    chunk_idx: Count
    #: Extension: 0 means that there is no such module; ``error`` then says why. Never on the shared topic.
    total_chunks: Count
    data: str
    #: Extension: ``sha256:<hex>`` of the whole module.
    digest: str | UnsetType = UNSET
    #: Extension: why there are no chunks.
    error: str | UnsetType = UNSET


def piece_bytes(room_bytes: int, most: int = CHUNK_BYTES) -> int:
    """Give the size of a module's pieces for messages with this much room; 0 if no piece would fit."""
    return max(0, min(most, (room_bytes - AROUND_PIECE_BYTES) * 3 // 4))


def module_chunks(module: Module, data: bytes, size_bytes: int = CHUNK_BYTES) -> Iterator[ModuleChunk]:
    """Cut a module into the registry's chunks."""
    total = -(-len(data) // size_bytes)
    for index in range(total):
        piece = data[index * size_bytes : (index + 1) * size_bytes]
        yield ModuleChunk(
            app_name=f"sha256:{module.digest}",
            chunk_idx=index,
            total_chunks=total,
            data=base64.b64encode(piece).decode(),
            digest=f"sha256:{module.digest}",
        )


def no_module(app_name: str, why: str) -> ModuleChunk:
    return ModuleChunk(app_name=app_name, chunk_idx=0, total_chunks=0, data="", error=why)
