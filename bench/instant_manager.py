"""A manager with HTTP whose proplet answers at once, without Wasm: its command line is DIRECTORY."""

import sys
from pathlib import Path

from bench.system import instant_proplet
from propeller.assembly import programs
from propeller.assembly.manager_parts import ManagerParts
from propeller.config.definitions import PROPLET
from propeller.config.programs import proplet_settings
from propeller.config.settings import HttpSettings
from propeller.config.sources import resolve


def main() -> int:
    directory = Path(sys.argv[1])
    parts = ManagerParts(
        http=HttpSettings(host="127.0.0.1", port=0),
        data_dir=directory,
        proplet=proplet_settings(resolve(PROPLET, {}), directory, {}),
        launch_of=instant_proplet,
    )
    return programs.up(parts)


if __name__ == "__main__":
    sys.exit(main())
