"""Where the programs are that tests start beside ours; ``script/parts`` installs them."""

import os
import shutil
from pathlib import Path

#: Debian keeps some where only root looks for programs.
_PLACES = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"]
#: Here it keeps those of PostgreSQL's server.
_POSTGRESQL = Path("/usr/lib/postgresql")


def path_of(name: str) -> str:
    places = [
        os.environ.get("PATH", ""),
        *_PLACES,
        *sorted(map(str, _POSTGRESQL.glob("*/bin")), reverse=True),
    ]
    found = shutil.which(name, path=os.pathsep.join(places))
    assert found, f"{name} is not here; script/parts installs it"
    return found
