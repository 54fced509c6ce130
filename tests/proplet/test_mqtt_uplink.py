"""On which topics a proplet asks the proxy for an image."""

import pytest

from propeller.proplet.mqtt_uplink import _WayToProxy

OWN, SHARED = "from/p/registry/proplet", "registry/proplet"
TO_US, TO_ALL = "proplet/p/registry/server", "registry/server"


def test_a_proxy_that_comes_late_is_asked_where_it_has_answered():
    """It was asked on both topics by then; the broker lets nobody of ours speak on the shared one."""
    way = _WayToProxy()
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]
    way.answered("acme/sum", TO_US)
    assert [way.topics(image, OWN, SHARED) for image in ("acme/sum", "acme/other")] == [[OWN], [OWN]]


def test_one_that_only_knows_the_contract_is_asked_on_the_shared_topic():
    way = _WayToProxy()
    way.topics("acme/sum", OWN, SHARED)
    way.topics("acme/sum", OWN, SHARED)
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/other", OWN, SHARED) == [SHARED]


def test_an_answer_to_us_counts_for_more_than_one_to_all():
    way = _WayToProxy()
    way.topics("acme/sum", OWN, SHARED)
    way.topics("acme/sum", OWN, SHARED)
    way.answered("acme/sum", TO_ALL)
    way.answered("acme/sum", TO_US)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]


def test_what_others_asked_for_says_nothing():
    """Also where we have asked for the same, but not on the shared topic."""
    way = _WayToProxy()
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/other", OWN, SHARED) == [OWN]


@pytest.mark.parametrize(("before", "after", "topic"), [(TO_US, TO_ALL, SHARED), (TO_ALL, TO_US, OWN)])
def test_when_another_proxy_takes_the_place_of_one_the_way_is_found_anew(before, after, topic):
    """An older one in place of a newer, or a newer in place of one that only knows the contract."""
    way = _WayToProxy()
    for image in ("acme/sum", "acme/sum"):
        way.topics(image, OWN, SHARED)
    way.answered("acme/sum", before)
    way.topics("acme/other", OWN, SHARED)
    assert [way.topics("acme/other", OWN, SHARED) for _ in range(2)] == [[OWN, SHARED], [OWN, SHARED]]
    way.answered("acme/other", after)
    assert way.topics("acme/third", OWN, SHARED) == [topic]


def test_modules_of_the_manager_say_nothing_of_the_proxy():
    way = _WayToProxy()
    way.answered("sha256:0123", TO_US)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]
