"""How long a link waits before it tries again."""

from propeller.mqtt.reconnect import ReconnectDelay


def after(delay, *lasted_s, **more):
    return [delay.after(one, **more) for one in lasted_s]


def test_a_connection_that_was_good_is_sought_again_at_once():
    assert max(after(ReconnectDelay(), 60, 60, 60)) <= 0.1


def test_each_that_fails_or_does_not_last_doubles_the_delay_up_to_half_a_minute():
    for lasted_s in (0, 0.2, 9):
        delay = ReconnectDelay()
        delays = after(delay, *[lasted_s] * 12)
        assert all(0.1 * 2**n / 2 <= delay <= 0.1 * 2**n for n, delay in enumerate(delays[:8], start=1))
        assert all(15 <= delay <= 30 for delay in delays[8:])
        assert after(delay, 10)[0] <= 0.1


def test_who_was_driven_out_waits_longer_though_the_connection_has_lasted():
    delay = ReconnectDelay()
    assert after(delay, *[20] * 9, is_taken_over=True)[-1] >= 15
    assert after(delay, 300, is_taken_over=True)[0] <= 0.1


def test_the_short_ones_are_counted_in_a_row():
    delay = ReconnectDelay()
    after(delay, 0.1, 0.1)
    assert delay.short_ones == 2
    after(delay, 0)
    assert delay.short_ones == 0
