"""``python -m tests.e2e.managers --take-overs 100``: the long form, with leases as they are by default."""

import argparse

from tests.e2e.managers.many import play_alone


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="tests.e2e.managers", description="Let the lead change hands often."
    )
    parser.add_argument("--take-overs", type=int, default=100, help="how often the lead is taken over (100)")
    parser.add_argument("--seed", type=int, default=1, help="what is done and when follows from it (1)")
    options = parser.parse_args()
    print(play_alone(options.take_overs, options.seed))


main()
