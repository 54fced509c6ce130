import pytest

from tests.registry.helpers import Registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry that everyone may read and write."""
    made = Registry(tmp_path_factory.mktemp("registry"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory):
    """A registry that wants a password by Basic authentication."""
    made = Registry(tmp_path_factory.mktemp("closed"), with_password=True)
    yield made
    made.stop()
