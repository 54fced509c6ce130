"""Who speaks is known by the topic, where it has one of its own."""

import pytest

from propeller.wire.fleet.messages import speaker


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("from/P1/control/proplet/alive", ("P1", "control/proplet/alive")),
        ("control/proplet/alive", ("", "control/proplet/alive")),
        ("from//control/proplet/alive", ("", "from//control/proplet/alive")),
        ("from/P1", ("", "from/P1")),
        (f"from/{257 * 'x'}/control/proplet/alive", ("", f"from/{257 * 'x'}/control/proplet/alive")),
    ],
)
def test_who_alone_may_speak_stands_in_the_topic(topic, found):
    assert speaker(topic) == found
