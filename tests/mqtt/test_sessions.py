"""For which session a broker is asked, after what it has said before."""

from propeller.mqtt.sessions import _AGAIN_S, _PATIENCE_S, Sessions


def with_one_kept():
    sessions = Sessions()
    assert sessions.choose(0)
    sessions.accepted()
    return sessions


def asked_while_refused(sessions, times):
    asked = []
    for now in times:
        asked.append(sessions.choose(now))
        sessions.refused(now)
    return asked


def test_one_that_was_never_kept_is_asked_for_in_turn_with_the_other():
    assert asked_while_refused(Sessions(), range(4)) == [True, False, True, False]


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


def test_a_session_that_was_kept_is_asked_for_as_long_as_a_broker_may_take_to_start():
    """However often it refuses meanwhile: at first it is asked ten times a second."""
    sessions = with_one_kept()
    assert all(asked_while_refused(sessions, [number / 10 for number in range(int(_PATIENCE_S) * 10)]))
    assert sessions.choose(_PATIENCE_S - 0.1)
    sessions.accepted()
    assert all(asked_while_refused(sessions, range(1000, 1000 + int(_PATIENCE_S)))), "it is timed anew"


def test_a_broker_that_no_longer_keeps_any_is_asked_for_none_in_the_end():
    sessions = with_one_kept()
    assert all(asked_while_refused(sessions, [10, 10 + _PATIENCE_S]))
    assert not sessions.choose(20 + _PATIENCE_S)
    sessions.accepted()
    assert not sessions.choose(30 + _PATIENCE_S)


def test_a_broker_that_takes_even_longer_is_asked_for_none_rarely():
    times = range(0, 5 * int(_PATIENCE_S), 10)
    asked = asked_while_refused(with_one_kept(), times)
    without = [now for now, is_kept in zip(times, asked, strict=True) if not is_kept]
    assert len(without) == 4
    assert all(later - now >= _PATIENCE_S for now, later in zip([0, *without], without, strict=False))


def test_a_broker_that_was_gone_meanwhile_is_one_that_starts():
    """Neither the time before counts, nor what was to be asked next."""
    sessions = with_one_kept()
    assert all(asked_while_refused(sessions, [0, 1]))
    assert sessions.choose(2), "and nobody answers"
    assert all(asked_while_refused(sessions, [2 * _PATIENCE_S, 3 * _PATIENCE_S - 1]))
    assert asked_while_refused(sessions, [3 * _PATIENCE_S]) == [True]
    assert not sessions.choose(3 * _PATIENCE_S + 1), "and nobody answers"
    assert sessions.choose(3 * _PATIENCE_S + 2)
