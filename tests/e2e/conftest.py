from tests.e2e.harness import system

__all__ = ["system"]
