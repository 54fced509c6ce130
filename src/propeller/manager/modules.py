"""Gives out modules by digest, a few pieces at a time, to proplets that ask.

A proplet asks for what it lacks and for more when that has come: so nothing piles up on the way to it, and
what got lost is asked for again.
"""

import base64

from propeller.store.port import Store
from propeller.wire.messages import CHUNK_BYTES, ModuleChunk, ModuleRequest, chunk_count

#: So many pieces are given at once.
_PIECES_MAX = 16


async def pieces(store: Store, request: ModuleRequest) -> list[ModuleChunk]:
    """Give the pieces that were asked for, or one message that says why there are none."""
    digest = request.app_name.removeprefix("sha256:")
    first = request.first or 0
    count = request.count if isinstance(request.count, int) else _PIECES_MAX
    wanted_bytes = min(count, _PIECES_MAX) * CHUNK_BYTES
    part = await store.module_part(digest, first * CHUNK_BYTES, wanted_bytes)
    if part is None:
        why = f"the manager has no module {request.app_name}"
        return [ModuleChunk(app_name=request.app_name, chunk_idx=0, total_chunks=0, data="", error=why)]
    size_bytes, data = part
    return [
        ModuleChunk(
            app_name=request.app_name,
            chunk_idx=first + start // CHUNK_BYTES,
            total_chunks=chunk_count(size_bytes),
            data=base64.b64encode(data[start : start + CHUNK_BYTES]).decode(),
            digest=f"sha256:{digest}",
        )
        for start in range(0, len(data), CHUNK_BYTES)
    ]
