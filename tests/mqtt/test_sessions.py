"""For which session a broker is asked, after what it has said before."""

from propeller.mqtt.sessions import _AGAIN_S, _REFUSALS_MAX, Sessions


def test_one_that_was_never_kept_is_asked_for_in_turn_with_the_other():
    sessions = Sessions()
    asked = []
    for now in range(4):
        asked.append(sessions.choose(now))
        sessions.refused(now)
    assert asked == [True, False, True, False]


def test_a_broker_that_keeps_none_is_asked_again_after_a_while_and_once():
    sessions = Sessions()
    assert sessions.choose(0)
    sessions.refused(0)
    assert not sessions.choose(1)
    sessions.accepted()
    assert not sessions.choose(_AGAIN_S - 1)
    sessions.accepted()
    assert sessions.choose(_AGAIN_S)
    sessions.refused(_AGAIN_S)
    assert not sessions.choose(_AGAIN_S + 1)
    sessions.accepted()
    assert not sessions.choose(2 * _AGAIN_S - 1)


def test_a_passing_refusal_is_passed_over_where_there_is_a_session():
    sessions = Sessions()
    sessions.accepted()
    for now in range(_REFUSALS_MAX - 1):
        sessions.refused(now)
        assert sessions.choose(now)
    sessions.accepted()
    sessions.refused(10)
    assert sessions.choose(10), "it is counted anew"


def test_a_broker_that_no_longer_keeps_any_is_asked_for_none_in_the_end():
    sessions = Sessions()
    sessions.accepted()
    for now in range(_REFUSALS_MAX):
        sessions.refused(now)
    assert not sessions.choose(_REFUSALS_MAX)
    sessions.accepted()
    assert not sessions.choose(_REFUSALS_MAX)
