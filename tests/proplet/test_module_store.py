"""Modules on disk: found again, verified, and not more of them than fit."""

import hashlib
import os
import threading

from propeller.proplet.module_store import ModuleStore


def test_what_was_put_there_is_there_also_for_the_next_program(tmp_path):
    digest = ModuleStore(tmp_path).put(b"wasm")
    assert digest == hashlib.sha256(b"wasm").hexdigest()
    assert ModuleStore(tmp_path).has(digest)
    assert not ModuleStore(tmp_path).has("0" * 64)


def test_what_was_damaged_is_not_there_and_can_be_put_again(tmp_path):
    digest = ModuleStore(tmp_path).put(b"wasm")
    (tmp_path / "modules" / digest).write_bytes(b"wa")
    modules = ModuleStore(tmp_path)
    assert not modules.has(digest)
    modules.put(b"wasm")
    assert (tmp_path / "modules" / digest).read_bytes() == b"wasm"


def test_those_used_longest_ago_make_room_but_not_those_in_use(tmp_path):
    modules = ModuleStore(tmp_path, bytes_max=30)
    digests = [modules.put(bytes([n]) * 10) for n in range(4)]
    compiled = tmp_path / "compiled" / "engine"
    compiled.mkdir(parents=True)
    (compiled / digests[1]).write_bytes(b"code")
    assert modules.has(digests[0])
    assert modules.make_room({digests[2]}) == [digests[1]]
    assert [modules.has(digest) for digest in digests] == [True, False, True, True]
    assert list(compiled.iterdir()) == [], "what was made of it goes with it"


def test_the_order_of_use_survives_the_program(tmp_path):
    modules = ModuleStore(tmp_path)
    first, second = modules.put(b"1" * 10), modules.put(b"2" * 10)

    os.utime(tmp_path / "modules" / first, (1, 1))
    os.utime(tmp_path / "modules" / second, (2, 2))
    assert ModuleStore(tmp_path, bytes_max=10).make_room(()) == [first]


def test_what_is_no_digest_is_not_looked_for(tmp_path):
    """Tasks may name anything; this would wait for ever for somebody to write into a pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"wasm")
    modules = ModuleStore(tmp_path)
    found = []
    for name in ("../pipe", str(tmp_path / "pipe"), "../file", "", ".", "A" * 64, f"../modules/{'0' * 64}"):
        looking = threading.Thread(target=lambda name=name: found.append(modules.has(name)), daemon=True)
        looking.start()
        looking.join(10)
        assert not looking.is_alive(), name
    assert found == [False] * 7
