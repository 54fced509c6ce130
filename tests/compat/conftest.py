from tests.e2e.fleet.harness import make_fleet
from tests.registry.conftest import registry

__all__ = ["make_fleet", "registry"]
