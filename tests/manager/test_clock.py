"""The manager's clocks: nothing that is done to the machine's time makes ours go backwards or stand still."""

from propeller.manager.clock import Clock

S = 10**9


class Machine:
    def __init__(self):
        self.wall, self.monotonic = 1_000_000 * S, 50 * S
        self.clock = Clock(lambda: self.wall, lambda: self.monotonic)

    def goes_on(self, seconds, *, moved_by=0):
        self.wall += int((seconds + moved_by) * S)
        self.monotonic += int(seconds * S)
        return self.clock.moment()


def test_it_follows_the_machine():
    machine = Machine()
    assert machine.goes_on(1).now == machine.wall
    assert machine.goes_on(1, moved_by=3600).now == machine.wall


def test_where_the_machines_time_is_set_back_ours_goes_on():
    machine = Machine()
    before = machine.goes_on(1)
    after = machine.goes_on(1, moved_by=-7200)
    assert after.now - before.now == S
    assert after.ticks - before.ticks == S
    assert machine.goes_on(7200 + 10).now - after.now == (7200 + 10) * S


def test_no_two_moments_are_the_same():
    machine = Machine()
    assert machine.goes_on(0).now < machine.goes_on(0).now


def test_a_pause_is_told_once():
    machine = Machine()
    assert machine.goes_on(1).paused_ns == 0
    assert machine.goes_on(15).paused_ns == 15 * S
    assert machine.goes_on(1).paused_ns == 0


def test_a_pause_that_was_seen_between_two_turns_is_told_with_the_next():
    machine = Machine()
    machine.goes_on(1)
    machine.monotonic += 15 * S
    machine.clock.look()
    machine.monotonic += S
    machine.clock.look()
    assert machine.goes_on(1).paused_ns == 15 * S
