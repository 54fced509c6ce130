from tests.fleet.harness import make_fleet

__all__ = ["make_fleet"]
