"""On which topics a proplet asks the proxy for an image."""

from propeller.proplet.remote import _WayToProxy

OWN, SHARED = "from/p/registry/proplet", "registry/proplet"
TO_US, TO_ALL = "proplet/p/registry/server", "registry/server"


def test_a_proxy_that_comes_late_is_asked_where_it_has_answered():
    """It was asked on both topics by then; the broker lets nobody of ours speak on the shared one."""
    way = _WayToProxy()
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]
    way.answered("acme/sum", TO_US)
    assert [way.topics("acme/sum", OWN, SHARED) for _ in range(2)] == [[OWN], [OWN]]


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
    way = _WayToProxy()
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]


def test_modules_of_the_manager_say_nothing_of_the_proxy():
    way = _WayToProxy()
    way.answered("sha256:0123", TO_US)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]
