from tests.e2e.fleet.harness import make_fleet
from tests.parts.wasm import wasmtime_program
from tests.registry.conftest import closed_registry, registry

__all__ = ["closed_registry", "make_fleet", "registry", "wasmtime_program"]
