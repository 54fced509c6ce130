"""Symbolic links that guests make.

A link that a guest makes leads down from its place: it is relative, without ``..``. So it stays inside the
guest's directory, also when the link or a directory around it is moved. The engine follows no link that leads
out, but makes it; and other programs of the machine may follow it.
"""

from collections.abc import Callable
from functools import cached_property

import wasmtime

_WASI, _FUNCTION = "wasi_snapshot_preview1", "path_symlink"
#: Error numbers of WASI preview 1.
_FAULT, _NAME_TOO_LONG, _NOT_PERMITTED = 21, 37, 63
_PATH_BYTES_MAX = 4096
_32_BITS = 0xFFFFFFFF

#: Calls the engine's function, which reads paths from the memory of its caller.
_MAKER = f"""(module
  (import "{_WASI}" "{_FUNCTION}" (func $make (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 1)
  (func (export "make") (param i32 i32 i32 i32 i32) (result i32)
    (call $make (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))))"""


def leads_down(target: str) -> bool:
    """Say whether a link with this target stays inside, wherever the link is."""
    return not target.startswith("/") and ".." not in target.split("/")


class CoreLinks:
    """Replaces ``path_symlink`` of WASI preview 1."""

    def __init__(self, plain: wasmtime.Linker) -> None:
        """Take a linker with the engine's own function."""
        self._plain = plain

    def define(self, linker: wasmtime.Linker) -> None:
        """Replace the function in a linker that allows shadowing."""
        i32 = wasmtime.ValType.i32()
        type_ = wasmtime.FuncType([i32] * 5, [i32])
        linker.define_func(_WASI, _FUNCTION, type_, self._path_symlink, access_caller=True)

    @cached_property
    def _maker(self) -> wasmtime.InstancePre:
        return self._plain.instantiate_pre(wasmtime.Module(self._plain.engine, _MAKER))

    def begin(self, store: wasmtime.Store) -> None:
        """Begin with the guest of this store; takes one of its instances and one of its memories."""
        exports = self._maker.instantiate(store).exports(store)
        memory, make = exports["memory"], exports["make"]
        assert isinstance(memory, wasmtime.Memory)
        assert isinstance(make, wasmtime.Func)
        self._memory: wasmtime.Memory = memory
        self._make: Callable[..., int] = make

    def _path_symlink(  # noqa: PLR0917  these are the interface's
        self, caller: wasmtime.Caller, target: int, target_size: int, fd: int, path: int, path_size: int
    ) -> int:
        memory = caller.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            return _FAULT
        texts = []
        for at, size in (
            (target & _32_BITS, target_size & _32_BITS),
            (path & _32_BITS, path_size & _32_BITS),
        ):
            if at + size > memory.data_len(caller):
                return _FAULT
            if size > _PATH_BYTES_MAX:
                return _NAME_TOO_LONG
            texts.append(memory.read(caller, at, at + size))
        if not leads_down(texts[0].decode(errors="replace")):
            return _NOT_PERMITTED
        self._memory.write(caller, b"".join(texts))
        return self._make(caller, 0, len(texts[0]), fd, len(texts[0]), len(texts[1]))
