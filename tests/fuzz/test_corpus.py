"""All inputs that were ever kept are played, and all targets are fuzzed for a moment; ``python -m tests.fuzz`` goes on."""

import signal

import pytest

from .__main__ import CORPUS, HANG_S, fuzz_all
from .targets import TARGETS

#: How long all targets are fuzzed in the test run.
SECONDS = 15


@pytest.mark.parametrize("target", TARGETS)
def test_no_kept_input_crashes_or_hangs(target):
    inputs = sorted((CORPUS / target).iterdir())
    assert inputs, "each target has a corpus"
    for path in inputs:
        signal.alarm(HANG_S)  # of which the default ends the run: not even a loop in C goes on
        try:
            TARGETS[target](path.read_bytes())
        except Exception as error:
            pytest.fail(f"{path}: {error!r}")
        finally:
            signal.alarm(0)


def test_new_inputs_crash_nothing():
    assert not fuzz_all(SECONDS)
