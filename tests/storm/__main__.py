"""``python -m tests.storm``: let it storm, and print what came of it as a table."""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .faults import Faults
from .load import Load, Verdict
from .worlds import Behind, Cluster, Embedded

FORMS = {"embedded": Embedded, "fleet": Behind, "managers": Cluster}
#: So long what was accepted may take to end once nothing goes wrong any more.
END_S_MAX = 600.0
CLIENTS = 4
#: How many tasks a large workflow has.
LARGE = 2000


def storm(form: str, seconds: float, seed: int, *, large: int = LARGE) -> tuple[Verdict, Counter[str]]:
    with tempfile.TemporaryDirectory(prefix="propeller-storm-") as directory:
        world = FORMS[form](Path(directory))
        try:
            world.begin()
            load = Load(seed, world.marks, large=large)
            load.url = world.url

            def moved() -> None:
                load.url = world.url

            faults = Faults(world, seed, on_restart=moved)
            clients = load.run(CLIENTS)
            faults.run(seconds)
            load.stop()
            for client in clients:
                client.join(END_S_MAX)
            load.wait_for_end(END_S_MAX)
            return load.judge(), faults.done
        finally:
            world.end()


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long each form is stormed at (3)")
    parser.add_argument("--form", choices=[*FORMS, "all"], default="all", help="which (all)")
    parser.add_argument("--seed", type=int, help="of what goes wrong and what is asked for (by chance)")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    forms = list(FORMS) if options.form == "all" else [options.form]
    print(f"seed {seed}\n| form | tasks | attempts | faults | lost | recorded twice | wrong |")
    print("|---|---|---|---|---|---|---|")
    is_good = True
    told = []
    for form in forms:
        verdict, faults = storm(form, options.minutes * 60, seed)
        is_good &= verdict.is_good
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
        counts = f"{len(verdict.lost)} | {len(verdict.twice)} | {len(verdict.wrong)}"
        row = f"| {form} | {verdict.tasks} | {verdict.attempts} | {faults.total()}: {kinds} | {counts} |"
        print(row, flush=True)
        told += [f"{form}: {line}" for line in (*verdict.lost, *verdict.twice, *verdict.wrong)]
    print("\n".join(told[:50]))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
