"""The ``wasmtime`` command, which runs Wasm as the embedded runtime does."""

import importlib.util
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def wasmtime_program(tmp_path_factory):
    """The ``wasmtime`` command: of this machine, or of the package that the tests have it from."""
    found = shutil.which("wasmtime", path="/usr/local/bin:/usr/bin:/bin")
    spec = importlib.util.find_spec("wasmtime_cli")
    if found is None and spec is not None and spec.origin is not None:
        # It is packed without the right to be executed.
        found = shutil.copy(Path(spec.origin).with_name("wasmtime"), tmp_path_factory.mktemp("program"))
        Path(found).chmod(0o755)
    if found is None:
        pytest.skip("this machine can't run the wasmtime command: there is none for it")
    return str(found)
