"""Inspections of modules, a few at a time; those of stored modules are kept in memory."""

import asyncio
import base64
from collections import OrderedDict

import msgspec

from propeller.api.turns import Turns
from propeller.runtime.inspection_apart import Findings, inspect_apart
from propeller.wire.http.modules import ModuleView
from propeller.wire.http.schema import encode

_KEPT, _KEPT_BYTES_MAX = 64, 256 * 1024


class Inspections:
    """Inspects modules in processes of their own, because the engine is not loaded here."""

    def __init__(self) -> None:
        self._turns = Turns("too many modules wait to be inspected")
        #: Answers by digest.
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def of(self, data: bytes) -> bytes:
        """Inspect a module that may be text; give a ``ModuleView`` as JSON.

        It raises what ``inspect_apart`` does.

        Raises:
            Unavailable: Too many wait for it.

        """
        async with self._turns.one():
            return await _inspected(data)

    async def compiled(self, text: bytes) -> bytes:
        """Compile a module that is text; one that is none is given back. It raises what ``of`` does."""
        async with self._turns.one():
            return (await inspect_apart(text)).wasm or text

    def kept(self, digest: str) -> bytes | None:
        """Give what was found of a stored module, if it is still known."""
        if digest in self._kept:
            self._kept.move_to_end(digest)
        return self._kept.get(digest)

    async def of_stored(self, digest: str, data: bytes) -> bytes:
        """Inspect a module of the store, as ``of`` does."""
        async with self._turns.one():
            found = self.kept(digest)  # another request may have asked for the same
            if found is None:
                found = await _inspected(data)
                if len(found) <= _KEPT_BYTES_MAX:
                    self._kept[digest] = found
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return found


async def _inspected(data: bytes) -> bytes:
    return await asyncio.to_thread(_json, await inspect_apart(data))


def _json(found: Findings) -> bytes:
    view = msgspec.json.decode(found.json, type=ModuleView)
    if found.wasm:
        view = msgspec.structs.replace(view, wasm=base64.b64encode(found.wasm).decode())
    return encode(view)
