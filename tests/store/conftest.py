import pytest

from tests.store.helpers import OPENING, Data


@pytest.fixture(params=OPENING)
def data(request, tmp_path):
    return Data(tmp_path, request.param)
