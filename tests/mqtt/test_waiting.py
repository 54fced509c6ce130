"""What waits for a broker is bounded, and the oldest goes first."""

from propeller.mqtt.unacknowledged import Outgoing
from propeller.mqtt.waiting import Waiting


def texts(waiting):
    return [waiting.popleft().payload.decode() for _ in range(len(waiting))]


def filled(*sizes, **bounds):
    waiting = Waiting(**bounds)
    for number, size in enumerate(sizes):
        waiting.append(Outgoing("t", str(number).encode() * size))
    return waiting


def test_too_many_messages_drop_the_oldest():
    waiting = filled(*[1] * 5, count_max=3)
    assert (waiting.dropped, texts(waiting)) == (2, ["2", "3", "4"])


def test_too_many_bytes_drop_the_oldest_but_never_the_last():
    assert texts(filled(4, 4, 4, bytes_max=8)) == ["1111", "2222"]
    assert texts(filled(4, 20, bytes_max=8)) == ["1" * 20]


def test_what_left_takes_no_room_and_what_came_back_does():
    waiting = filled(4, 4, bytes_max=8)
    sent = [waiting.popleft()]
    waiting.append(Outgoing("t", b"2222"))
    assert waiting.dropped == 0
    waiting.put_back(sent)
    assert len(waiting) == 3
    waiting.append(Outgoing("t", b"3"))
    assert texts(waiting) == ["2222", "3"]
