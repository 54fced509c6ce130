"""Giving modules by digest to proplets that ask, a few pieces at a time.

A proplet asks for the next pieces when the last ones have come. So nothing piles up on the way to it, and it
asks again for what got lost.
"""

import base64

from propeller.store.port import Store
from propeller.wire.fleet.modules import NO_PIECE_FITS, ModuleChunk, ModuleRequest, no_module

#: How many pieces one answer has at most.
_PIECES_MAX = 16


async def pieces(store: Store, request: ModuleRequest, size_bytes: int) -> list[ModuleChunk]:
    """Give the pieces of this size that were asked for, or one message that says why there are none."""
    if not size_bytes:
        return [no_module(request.app_name, NO_PIECE_FITS)]
    digest = request.app_name.removeprefix("sha256:")
    first = request.first or 0
    count = request.count if isinstance(request.count, int) else _PIECES_MAX
    wanted_bytes = min(count, _PIECES_MAX) * size_bytes
    part = await store.module_part(digest, first * size_bytes, wanted_bytes)
    if part is not None and first and not part[1]:
        # The pieces were smaller before: the first one shows how large they are now.
        first, part = 0, await store.module_part(digest, 0, size_bytes)
    if part is None:
        return [no_module(request.app_name, f"the manager has no module {request.app_name}")]
    whole_bytes, data = part
    return [
        ModuleChunk(
            app_name=request.app_name,
            chunk_idx=first + start // size_bytes,
            total_chunks=-(-whole_bytes // size_bytes),
            data=base64.b64encode(data[start : start + size_bytes]).decode(),
            digest=f"sha256:{digest}",
        )
        for start in range(0, len(data), size_bytes)
    ]
