"""Where the programs are that tests start beside ours; ``script/parts`` installs them."""

import os
import shutil

#: Debian keeps some where only root looks for programs.
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"])


def path_of(name: str) -> str:
    found = shutil.which(name, path=_PLACES)
    assert found, f"{name} is not here; script/parts installs it"
    return found
