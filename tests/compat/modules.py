"""Small modules for both sides."""

import wasmtime


def from_text(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


ADDITION = from_text(
    '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
)
DIVISION = from_text(
    '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'
)
ENDLESS = from_text('(module (func (export "main") (loop (br 0))))')


def large(size_bytes: int) -> bytes:
    """Make a module of at least this size, which adds."""
    return from_text(
        f'(module (memory 64) (data (i32.const 0) "{"propeller." * (size_bytes // 10)}")'
        ' (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
    )
