"""The parts in which all tests are run: none is left out, and none runs twice."""

from tests.lanes import TESTS, parts


def test_each_test_is_in_one_part():
    for file in TESTS.rglob("test_*.py"):
        name = file.relative_to(TESTS).as_posix()
        holders = [path for part in parts() for path in part if f"{name}/".startswith(f"{path}/")]
        assert len(holders) == 1, f"{name} is in {holders}"
