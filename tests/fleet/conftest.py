from tests.fleet.harness import make_fleet
from tests.registry.conftest import closed_registry, registry

__all__ = ["closed_registry", "make_fleet", "registry"]
