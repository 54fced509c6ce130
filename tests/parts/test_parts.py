"""The parts do to programs what their names say; else tests that lean on them would try nothing."""

import socket
import subprocess
import sys

import pytest

from tests.parts.mosquitto import Mosquitto, open_to_all, running
from tests.parts.netns import Island
from tests.parts.ports import free_port

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))"
SEND = """
import socket, sys
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to.connect((sys.argv[1], int(sys.argv[2])))
for word in sys.argv[3:]:
    to.send(word.encode())
"""


@pytest.fixture
def island():
    with Island() as made:
        yield made


def run(island, program, *words):
    """Run a program on the island and say whether all went well."""
    command = island.command([sys.executable, "-c", program, *map(str, words)])
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def test_nobody_gets_over_a_cable_that_is_cut_until_it_is_mended(island):
    with socket.create_server((island.host, 0)) as server:
        port = server.getsockname()[1]
        with island.cut():
            assert not run(island, CONNECT, island.host, port, 2)
        assert run(island, CONNECT, island.host, port, 30)


def test_what_is_sent_before_the_cut_does_not_come_back_after_it(island):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears:
        hears.bind((island.host, 0))
        hears.settimeout(30)
        at = hears.getsockname()
        assert run(island, SEND, *at, "before")
        assert hears.recv(9) == b"before"
        with island.cut():
            assert run(island, SEND, *at, "meanwhile")
        assert run(island, SEND, *at, "after")
        assert hears.recv(9) == b"after"


def test_an_impaired_cable_loses_its_share(island):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears:
        hears.bind((island.host, 0))
        hears.settimeout(30)
        at = hears.getsockname()
        with island.impaired(loss=0.3, delay_s=0.05):
            assert run(island, SEND, *at, *range(200))
            island.cable.loss = 0.0
            assert run(island, SEND, *at, "end")
        heard = list(iter(lambda: hears.recv(9), b"end"))
        assert 100 < len(heard) < 180
        assert heard == sorted(heard, key=int), "a delay keeps the order"


def test_an_island_leaves_nothing_behind_even_where_it_can_not_be_made():
    def network():
        ask = ["ip", "-o", "addr"], ["ip", "netns", "list"]
        return [subprocess.run(one, capture_output=True, text=True, check=True).stdout for one in ask]

    with Island() as first:
        assert first.name in network()[1]
    assert first.name not in network()[1]
    assert first.host not in network()[0]
    broken = Island()
    broken.host = "no address"
    with pytest.raises(AssertionError, match="no address"):
        broken.__enter__()
    assert broken.name not in network()[1]


def test_a_broker_says_why_it_does_not_start(tmp_path):
    config = tmp_path / "mosquitto.conf"
    config.write_text("no_such_setting 1\n")
    with pytest.raises(AssertionError, match="no_such_setting"), running(Mosquitto(config, free_port())):
        pass


@pytest.mark.parametrize(("end", "is_kept"), [("stop", True), ("lose_sessions", False)])
def test_a_broker_keeps_sessions_until_it_is_told_to_lose_them(tmp_path, end, is_kept):
    with running(open_to_all(tmp_path / "broker")) as broker:
        assert session_is_kept(broker) is False, "the first connection begins it"
        broker.stop()
        if end == "lose_sessions":
            broker.lose_sessions()
        broker.start()
        assert session_is_kept(broker) is is_kept


def session_is_kept(broker):
    """Connect with a session that is to stay, by hand: the broker's answer says whether it was there."""
    name = b"keeper"
    body = b"\0\4MQTT\4\0\0\x3c" + len(name).to_bytes(2, "big") + name
    with socket.create_connection((broker.host, broker.port), 20) as line:
        line.sendall(bytes([0x10, len(body)]) + body)
        answer = line.recv(4)
        line.sendall(b"\xe0\0")
        assert line.recv(1) == b"", "it closes after a good-bye"
    assert answer[:2] == b"\x20\x02"
    assert answer[3] == 0
    return bool(answer[2] & 1)
