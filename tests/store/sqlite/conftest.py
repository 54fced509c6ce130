import pytest

from tests.store.helpers import SqliteData


@pytest.fixture
def data(tmp_path):
    return SqliteData(tmp_path)
