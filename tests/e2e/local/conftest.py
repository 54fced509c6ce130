from tests.e2e.local.harness import system

__all__ = ["system"]
