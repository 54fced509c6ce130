"""A cache of compiled code, in memory and on disk.

``<directory>/modules/<digest>`` holds a module, put there by the pool's owner.
``<directory>/compiled/<engine>/<digest>`` holds its machine code, as the engine maps it into memory, and
``<digest>.head`` beside it a magic word, a SHA-256 of both, and the module's imports and exports. Loading
damaged machine code would be unsafe, so the sum is checked each time; where it is wrong, the module is
compiled again.

Of several processes only one compiles a module: it locks the module's own file, so no lock stays behind when
it is killed.
"""

import contextlib
import fcntl
import importlib.metadata
import mmap
import os
import platform
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec
import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component

from propeller.errors import Invalid
from propeller.runtime.component.imports import foreign_imports, in_words
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.component.types import component_interface
from propeller.runtime.core_module.interface import Interface, imports_of, interface_of
from propeller.runtime.runner.compiler import compile_apart
from propeller.runtime.runner.component_program import ComponentProgram, ComponentWorld
from propeller.runtime.runner.core_program import CoreProgram, CoreWorld, check_imports

_MAGIC = b"PROPCWA4"
_HEADER_BYTES = len(_MAGIC) + 32
#: Byte 4 of a binary: a core module's version, or a component's.
_CORE, _COMPONENT = b"\x01", b"\x0d"

_MIB = 1024 * 1024
#: A larger module is compiled in a process that ends, whose start takes less than the compilation then.
_COMPILED_APART_BYTES = 128 * 1024

Program = CoreProgram | ComponentProgram


class Compiled(msgspec.Struct, array_like=True):
    """The interface of a module, as it is stored beside its machine code; one of the two is there."""

    core: Interface | None
    component: ComponentInterface | None


_encode_head = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Compiled).decode


def new_engine(*, stack_bytes: int, is_metered: bool = False, is_quick: bool = False) -> wasmtime.Engine:
    """Make an engine for the guests of a process; the next epoch interrupts the one that runs.

    One that counts fuel makes code that computes half as fast; a quick one compiles fast, code that is slow.
    """
    config = wasmtime.Config()
    if is_quick:
        config.cranelift_opt_level = "none"
    config.epoch_interruption = True
    config.consume_fuel = is_metered
    config.max_wasm_stack = stack_bytes
    # Shared memories do not count against a store's limits.
    config.shared_memory = False
    # Guests have no tasks of the component model. With these, wasmtime 50.0 ends a guest that hands two
    # borrowed resources to a host function, as each guest does that polls for two things at once.
    ffi.wasmtime_config_concurrency_support_set(config.ptr(), False)
    return wasmtime.Engine(config)


def _fingerprint(*, is_metered: bool) -> str:
    """Name the engine, so that none loads another's code; wasmtime itself checks processor and settings."""
    version = importlib.metadata.version("wasmtime")
    return f"wasmtime-{version}-{platform.machine()}{'-metered' if is_metered else ''}"


class Cache:
    """Programs by the digest of their module; the last that were used stay in memory.

    Args:
        directory: Holds ``modules`` and ``compiled``.
        stack_bytes: The stack of a guest.
        is_metered: Whether its engine counts fuel.
        size: How many programs stay at most.
        code_bytes: How much code they may have together, where more than one stays.

    """

    def __init__(
        self,
        directory: Path,
        *,
        stack_bytes: int,
        is_metered: bool = False,
        size: int = 64,
        code_bytes: int = 256 * _MIB,
    ) -> None:
        self.engine = new_engine(stack_bytes=stack_bytes, is_metered=is_metered)
        self.is_metered = is_metered
        #: How often this process had to compile.
        self.compilations = 0
        self._directory, self._stack_bytes = directory, stack_bytes
        self._modules = directory / "modules"
        self._compiled = directory / "compiled" / _fingerprint(is_metered=is_metered)
        self._size, self._code_bytes_max = size, code_bytes
        self._programs: OrderedDict[str, Program] = OrderedDict()
        #: Size of the code of each, as far as it is known.
        self._code_bytes: dict[str, int] = {}
        self._core = CoreWorld(self.engine)
        self._components = ComponentWorld(self.engine)

    def load(self, digest: str, *, on_compile: Callable[[int], None] = lambda _: None) -> Program:
        """Give the program, from memory, from disk, or compiled now.

        ``on_compile`` is told the module's size before it is compiled, here or in another process.

        Raises:
            Invalid: The module is not there, is damaged, is not Wasm, or has imports that are not offered.
            Died: The compiler died.

        """
        program = self._programs.get(digest)
        if program is None:
            program = self._programs[digest] = self._load(digest, on_compile)
            self._forget_some()
        else:
            self._programs.move_to_end(digest)
        return program

    def _forget_some(self) -> None:
        """Let go of the programs that were used longest ago, beyond what may stay."""
        held = sum(self._code_bytes.get(digest, 0) for digest in self._programs)
        while len(self._programs) > self._size or (held > self._code_bytes_max and len(self._programs) > 1):
            digest, _ = self._programs.popitem(last=False)
            held -= self._code_bytes.get(digest, 0)

    def compile(self, digest: str) -> None:
        """Compile a module for another process, which holds the lock."""
        self._compile(digest, (self._modules / digest).read_bytes(), self._compiled / digest)

    def _load(self, digest: str, on_compile: Callable[[int], None]) -> Program:
        if len(digest) != 64 or not digest.isalnum():
            raise Invalid(f"{digest[:80]!r} is not a SHA-256 digest")
        entry = self._compiled / digest
        program = self._deserialized(entry)
        if program is not None:
            return program
        try:
            with (self._modules / digest).open("rb") as source:
                on_compile(os.fstat(source.fileno()).st_size)
                fcntl.flock(source, fcntl.LOCK_EX)
                # Another process may have compiled it while this one waited for the lock.
                return self._deserialized(entry) or self._compiled_now(digest, source, entry)
        except OSError as error:
            raise Invalid(f"module {digest} can't be read: {error.strerror}") from error

    def _compiled_now(self, digest: str, source: BinaryIO, entry: Path) -> Program:
        if os.fstat(source.fileno()).st_size > _COMPILED_APART_BYTES:
            self.compilations += 1
            compile_apart(self._directory, digest, stack_bytes=self._stack_bytes, is_metered=self.is_metered)
            if (program := self._deserialized(entry)) is not None:
                return program
        made = self._compile(digest, source.read(), entry)
        # Loaded from the disk it takes less memory; where that has no room, it is used as it was compiled.
        return self._deserialized(entry) or made

    def _deserialized(self, entry: Path) -> Program | None:
        try:
            content = _head_of(entry).read_bytes()
            with entry.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
                sum_, size = sha256(code).digest(), len(code)
        except (OSError, ValueError):  # an empty file can't be mapped
            return None
        if content[:_HEADER_BYTES] != _MAGIC + sha256(content[_HEADER_BYTES:] + sum_).digest():
            return None
        try:
            head = _decode_head(content[_HEADER_BYTES:])
            self._code_bytes[entry.name] = size
            if head.core is not None:
                module = wasmtime.Module.deserialize_file(self.engine, str(entry))
                return CoreProgram(self._core, module, head.core)
            assert head.component is not None
            loaded = component.Component.deserialize_file(self.engine, str(entry))
            return ComponentProgram(self._components, loaded, head.component)
        except (wasmtime.WasmtimeError, msgspec.MsgspecError):
            return None  # made for another processor or with other settings

    def _compile(self, digest: str, wasm: bytes, entry: Path) -> Program:
        found = sha256(wasm).hexdigest()
        if found != digest:
            raise Invalid(f"module {digest} is damaged on this proplet: its bytes have the digest {found}")
        if not wasm.startswith(b"\0asm"):
            begin = wasm[:4].hex(" ") or "nothing"
            raise Invalid(f"module {digest} is not WebAssembly: it begins with {begin}")
        _check_imports(wasm)
        self.compilations += 1
        try:
            if wasm[4:5] == _COMPONENT:
                made = component.Component(self.engine, wasm)
                interface = component_interface(made, self.engine)
                self._keep(entry, Compiled(None, interface), made.serialize())
                return ComponentProgram(self._components, made, interface)
            module = wasmtime.Module(self.engine, wasm)
            core = interface_of(wasm)
            self._keep(entry, Compiled(core, None), module.serialize())
            return CoreProgram(self._core, module, core)
        except wasmtime.WasmtimeError as error:
            raise Invalid(f"module {digest} can't be compiled: {str(error)[:2000].strip()}") from error

    @staticmethod
    def _keep(entry: Path, compiled: Compiled, code: bytes | bytearray) -> None:
        head = _encode_head(compiled)
        sum_ = sha256(head + sha256(code).digest()).digest()
        # Without the files the next process compiles again; that is no reason for a task to fail.
        with contextlib.suppress(OSError):
            _replace(entry, code)
            _replace(_head_of(entry), _MAGIC + sum_ + head)


def _check_imports(wasm: bytes) -> None:
    """Raise ``Invalid`` where it has imports that are not offered, as far as can be seen before compiling."""
    if wasm[4:5] == _COMPONENT:
        if foreign := foreign_imports(wasm):
            raise Invalid("; ".join(in_words(foreign)))
        return
    # It is not validated yet; of one that can't be read the engine says more.
    with contextlib.suppress(IndexError, UnicodeDecodeError):
        check_imports([(one.module, one.field) for one in imports_of(wasm)])


class Caches:
    """The caches of one process: one for each kind of engine that its runs need."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._caches: dict[tuple[int, bool], Cache] = {}

    def of(self, *, stack_bytes: int, is_metered: bool) -> Cache:
        """Give the cache for guests with this stack, rounded down to a power of two, with fuel or without."""
        stack_bytes = 1 << min(max(stack_bytes, _STACK_BYTES_MIN), _STACK_BYTES_MAX).bit_length() - 1
        key = (stack_bytes, is_metered)
        if key not in self._caches:
            self._caches[key] = Cache(self._directory, stack_bytes=stack_bytes, is_metered=is_metered)
        return self._caches[key]


_STACK_BYTES_MIN, _STACK_BYTES_MAX = 64 * 1024, 2 * 1024 * 1024


def _head_of(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.head")


def _replace(path: Path, content: bytes | bytearray) -> None:
    """Write a file whole or not at all; the caller holds a lock, so the draft's name is free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(content)
    draft.replace(path)
