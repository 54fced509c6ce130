from tests.parts.wasm import wasmtime_program

__all__ = ["wasmtime_program"]
