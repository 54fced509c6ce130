from tests.e2e.managers.harness import database_server, make_several

__all__ = ["database_server", "make_several"]
