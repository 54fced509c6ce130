from tests.registry.conftest import registry

__all__ = ["registry"]
