"""Compiled code, in memory and on disk.

``<directory>/modules/<digest>`` holds a module, put there by the pool's owner.
``<directory>/compiled/<engine>/<digest>`` holds what was made of it: a magic word, the SHA-256 of the rest,
the module's interface, its machine code. Loading damaged machine code would be unsafe, so the sum is checked
each time; what does not fit is compiled anew and replaced.

Of several processes only one compiles a module: it holds a lock on the module's own file, so nothing is
left over when it is killed.
"""

import contextlib
import fcntl
import importlib.metadata
import platform
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import msgspec
import wasmtime

from propeller.errors import Invalid
from propeller.runtime.interface import Interface, interface_of
from propeller.runtime.program import Program
from propeller.runtime.run import Limits

_MAGIC = b"PROPCWA1"
_HEADER_BYTES = len(_MAGIC) + 32
_SIZE_BYTES = 4


def new_engine(limits: Limits) -> wasmtime.Engine:
    """Make the engine that all guests of a process share; the next epoch interrupts the one that runs."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.max_wasm_stack = limits.stack_bytes
    # Shared memories do not count against a store's limits.
    config.shared_memory = False
    return wasmtime.Engine(config)


def _fingerprint() -> str:
    """Tell engines apart whose code is not exchangeable; wasmtime itself checks processor and settings."""
    return f"wasmtime-{importlib.metadata.version('wasmtime')}-{platform.machine()}"


class Cache:
    """Programs by the digest of their module; the ``size`` used last stay in memory."""

    def __init__(self, engine: wasmtime.Engine, directory: Path, *, size: int = 64) -> None:
        self.engine = engine
        #: How often this process had to compile.
        self.compilations = 0
        self._modules = directory / "modules"
        self._compiled = directory / "compiled" / _fingerprint()
        self._size = size
        self._programs: OrderedDict[str, Program] = OrderedDict()
        self._linker = wasmtime.Linker(engine)
        self._linker.define_wasi()

    def load(self, digest: str) -> Program:
        """Give the program, from memory, from disk, or compiled now.

        Raises:
            Invalid: The module is not there, is damaged, is not Wasm, is a component or imports what there
                is not.

        """
        program = self._programs.get(digest)
        if program is None:
            program = Program(self._linker, *self._module(digest))
            self._programs[digest] = program
            if len(self._programs) > self._size:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(digest)
        return program

    def _module(self, digest: str) -> tuple[wasmtime.Module, Interface]:
        if len(digest) != 64 or not digest.isalnum():
            raise Invalid(f"{digest[:80]!r} is not a SHA-256 digest")
        entry = self._compiled / digest
        loaded = self._deserialized(entry)
        if loaded is not None:
            return loaded
        try:
            with (self._modules / digest).open("rb") as source:
                fcntl.flock(source, fcntl.LOCK_EX)
                # Another process may have compiled it while this one waited for the lock.
                return self._deserialized(entry) or self._compile(digest, source.read(), entry)
        except OSError as error:
            raise Invalid(f"module {digest} can't be read: {error.strerror}") from error

    def _deserialized(self, entry: Path) -> tuple[wasmtime.Module, Interface] | None:
        try:
            content = entry.read_bytes()
        except OSError:
            return None
        body = memoryview(content)[_HEADER_BYTES:]
        if content[:_HEADER_BYTES] != _MAGIC + sha256(body).digest():
            return None
        try:
            end = _SIZE_BYTES + int.from_bytes(body[:_SIZE_BYTES])
            interface = msgspec.msgpack.decode(body[_SIZE_BYTES:end], type=Interface)
            return wasmtime.Module.deserialize(self.engine, bytes(body[end:])), interface
        except (wasmtime.WasmtimeError, msgspec.MsgspecError):
            return None  # made for another processor or with other settings

    def _compile(self, digest: str, wasm: bytes, entry: Path) -> tuple[wasmtime.Module, Interface]:
        found = sha256(wasm).hexdigest()
        if found != digest:
            raise Invalid(f"module {digest} is damaged on this proplet: its bytes have the digest {found}")
        if not wasm.startswith(b"\0asm"):
            raise Invalid(
                f"module {digest} is not WebAssembly: it begins with {wasm[:4].hex(' ') or 'nothing'}"
            )
        if wasm[4:5] == b"\x0d":
            raise Invalid(f"module {digest} is a component; this proplet runs core modules")
        try:
            module = wasmtime.Module(self.engine, wasm)
        except wasmtime.WasmtimeError as error:
            raise Invalid(f"module {digest} can't be compiled: {str(error)[:2000].strip()}") from error
        self.compilations += 1
        interface = interface_of(wasm)
        head = msgspec.msgpack.encode(interface)
        body = len(head).to_bytes(_SIZE_BYTES) + head + module.serialize()
        # Without the file the next process compiles again; that is no reason for a task to fail.
        with contextlib.suppress(OSError):
            _replace(entry, _MAGIC + sha256(body).digest() + body)
        return module, interface


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; the caller holds a lock, so the name of the draft is free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(content)
    draft.replace(path)
