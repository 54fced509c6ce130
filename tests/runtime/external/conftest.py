import psutil
import pytest

from tests.parts.wasm import wasmtime_program

__all__ = ["wasmtime_program"]


@pytest.fixture(autouse=True)
def no_process_left():
    # Other tests may have programs of their own that go on.
    before = set(psutil.Process().children(recursive=True))
    yield
    after = [child for child in psutil.Process().children(recursive=True) if child.is_running()]
    assert [child for child in after if child not in before] == []
