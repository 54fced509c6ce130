"""What is set of a proplet holds also for those that ``propeller up`` starts."""

import functools
import http.server
import os
import threading

import pytest

from tests.builders import ADDITION
from tests.e2e.local.harness import System
from tests.waiting import until

SETTINGS = """
[proplet]
tags = ["gpu", "eu"]
description = "in the cellar"
task_output = "1KiB"
"""


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """The address of a module on a web server of this machine."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "add.wasm").write_bytes(ADDITION)
    handler = functools.partial(Silent, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/add.wasm"
        server.shutdown()


def run(system, **task):
    task_id = system.call("POST", "/tasks", {"name": "main", "inputs": [40, 2], **task}, 201)["id"]
    system.call("POST", f"/tasks/{task_id}/start")
    return until(lambda: (found := system.call("GET", f"/tasks/{task_id}"))["state"] in (3, 4) and found)


def test_proplets_beside_their_manager_have_their_settings(tmp_path, site):
    (tmp_path / "config.toml").write_text(SETTINGS)
    system = System(tmp_path / "data", "--config", str(tmp_path / "config.toml"))
    try:
        system.up()
        (proplet,) = until(lambda: system.call("GET", "/proplets")["proplets"])
        assert sorted(proplet["metadata"]["tags"]) == ["eu", "gpu"]
        assert proplet["metadata"]["description"] == "in the cellar"
        failed = run(system, image_url=site)
        assert failed["state"] == 4
        assert "set allow_private_addresses, or name the host in registry_plain_http" in failed["error"]
        system.stop()
        # The advice can be followed, and a variable stands above the file.
        secrets = {
            "PROPLET_REGISTRY_PLAIN_HTTP": "127.0.0.1",
            "PROPLET_TAGS": "arm",
            "PROPLET_FETCH": "proxy",
        }
        system.up(env={**os.environ, **secrets})
        assert run(system, image_url=site, required_tags=["arm"])["results"] == "42\n"
        assert "PROPLET_FETCH has no effect here" in system.log.read_text()
    finally:
        system.clean_up()
