from tests.e2e.local.harness import system
from tests.registry.conftest import registry

__all__ = ["registry", "system"]
