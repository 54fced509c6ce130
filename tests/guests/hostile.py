"""Binaries that somebody made to do harm; each is made in memory."""

import random

import wasmtime


def _leb(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + _leb(len(content)) + content


def module(*sections: bytes) -> bytes:
    return b"\0asm\1\0\0\0" + b"".join(sections)


_TYPE = _section(1, b"\1\x60\0\0")
_EXPORT = _section(7, b"\1\1f\0\0")


def _one_function(body: bytes) -> bytes:
    return module(_TYPE, _section(3, b"\1\0"), _EXPORT, _section(10, b"\1" + _leb(len(body)) + body))


def many_functions(count: int = 100_000) -> bytes:
    """Takes its time to compile, function by function."""
    types = _section(3, _leb(count) + b"\0" * count)
    return module(_TYPE, types, _EXPORT, _section(10, _leb(count) + b"\x02\0\x0b" * count))


def deep_nesting(depth: int = 50_000) -> bytes:
    """Would overflow the stack of a compiler that recurses."""
    return _one_function(b"\0" + b"\x02\x40" * depth + b"\x0b" * (depth + 1))


def wide_table(targets: int = 200_000) -> bytes:
    """One jump with very many targets."""
    return _one_function(b"\0\x02\x40\x41\0\x0e" + _leb(targets) + b"\0" * targets + b"\0\x0b\x0b")


def slow_to_compile(depth: int = 200, jumps: int = 300, values: int = 100) -> bytes:
    """Any jump may end at any block, with many values to carry along: 90 kB take many seconds."""
    numbers = random.Random(1)
    body = bytearray(b"\1" + _leb(values) + b"\x7e" + b"\x03\x40" * depth)
    targets = _leb(depth) + b"".join(map(_leb, range(depth + 1)))
    for _ in range(jumps):
        one, other, third = (_leb(numbers.randrange(values)) for _ in range(3))
        # third = one + other; block { jump table by one }
        body += b"\x20" + one + b"\x20" + other + b"\x7c\x21" + third
        body += b"\x02\x40\x20" + one + b"\xa7\x0e" + targets + b"\x0b"
    return _one_function(bytes(body) + b"\x0b" * (depth + 1))


def many_locals(count: int = 50_000) -> bytes:
    """As many as a function may have, and it calls itself: each call takes much of the stack."""
    return _one_function(b"\1" + _leb(count) + b"\x7e\x10\0\x0b")


def many_exports(count: int = 50_000) -> bytes:
    """Would make a long message of one that lists them."""
    names = b"".join(_leb(len(name)) + name + b"\0\0" for n in range(count) for name in [b"export-%d" % n])
    return module(_TYPE, _section(3, b"\1\0"), _section(7, _leb(count) + names), _section(10, b"\1\2\0\x0b"))


def long_name(size: int = 100_000) -> bytes:
    """As long as a name may be; would make a long message of one that quotes it."""
    export = _section(7, b"\1" + _leb(size) + b"n" * size + b"\0\0")
    return module(_TYPE, _section(3, b"\1\0"), export, _section(10, b"\1\2\0\x0b"))


def many_imports(count: int = 10_000) -> bytes:
    """Asks for what there is not, over and over."""
    return module(_TYPE, _section(2, _leb(count) + b"\1m\1f\0\0" * count))


def lying_count() -> bytes:
    """Says that it has four thousand million functions, and has none."""
    return module(_TYPE, _section(3, b"\xff\xff\xff\xff\x0f"))


def _text(wat: str) -> bytes:
    return bytes(wasmtime.wat2wasm(wat))


def trap_in_start() -> bytes:
    return _text('(module (func $s unreachable) (start $s) (func (export "f")))')


def loop_in_start() -> bytes:
    """Never comes to be called."""
    return _text('(module (func $s (loop br 0)) (start $s) (func (export "f")))')


def data_out_of_bounds() -> bytes:
    return _text('(module (memory 1) (data (i32.const 65535) "ab") (func (export "f")))')


def elements_out_of_bounds() -> bytes:
    return _text('(module (table 1 funcref) (func $f (export "f")) (elem (i32.const 1) func $f))')


def huge_memory() -> bytes:
    """Wants all that can be addressed."""
    return _text('(module (memory 65536) (func (export "f")))')


def huge_table() -> bytes:
    return _text('(module (table 10000000 funcref) (func (export "f")))')


def cut_short(whole: bytes, count: int = 40) -> list[bytes]:
    """The beginnings of something valid."""
    return [whole[:size] for size in range(8, len(whole), max(1, len(whole) // count))]


def _bounds(whole: bytes) -> list[tuple[int, int]]:
    """Where each section begins and ends."""
    bounds, at = [], 8
    while at < len(whole):
        size = shift = 0
        start = at
        while True:
            start += 1
            size |= (whole[start] & 0x7F) << shift
            shift += 7
            if whole[start] < 0x80:
                break
        bounds.append((at, start + 1 + size))
        at = bounds[-1][1]
    return bounds


def cut_in_sections(whole: bytes) -> list[bytes]:
    """Ends behind each section's kind, and one byte before each section's end; never valid."""
    return [cut for start, end in _bounds(whole) for cut in (whole[: start + 1], whole[: end - 1])]


def cut_between_sections(whole: bytes) -> list[bytes]:
    """Lacks all that comes behind a section; what is left may be valid."""
    return [whole[:start] for start, _ in _bounds(whole)[1:]]


def wrong_heads(whole: bytes) -> list[bytes]:
    """What is no Wasm, or Wasm of a version that there is not."""
    heads = [b"", b"\0", b"\0asm", b"\0asm\1", b"\0ASM\1\0\0\0", b"asm\0\1\0\0\0", b"\x7fELF\2\1\1\0"]
    versions = [b"\0\0\0\0", b"\2\0\0\0", b"\x0d\0\2\0", b"\xff\xff\xff\xff"]
    return heads + [b"\0asm" + version + whole[8:] for version in versions]


def rubbish(count: int = 40) -> list[bytes]:
    """Random bytes behind the headers of a module and of a component."""
    numbers = random.Random(1)
    heads = (b"\0asm\1\0\0\0", b"\0asm\x0d\0\1\0")
    return [heads[n % 2] + numbers.randbytes(numbers.randrange(1, 200)) for n in range(count)]
