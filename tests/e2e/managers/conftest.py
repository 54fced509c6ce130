from tests.e2e.managers.harness import both, database_server, make_several

__all__ = ["both", "database_server", "make_several"]
