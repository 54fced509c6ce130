"""Timers: the one that is due first comes out first, and only when it is due."""

from hypothesis import given
from hypothesis import strategies as st

from propeller.core.timers import TimerOf, Timers

KINDS = st.sampled_from([TimerOf.RETRY, TimerOf.QUEUE])
IDS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KINDS, IDS, st.integers(0, 20)),
        st.tuples(st.just("drop"), KINDS, IDS, st.just(0)),
        st.tuples(st.just("pop"), KINDS, st.just(""), st.integers(0, 20)),
    )
)


@given(STEPS)
def test_timers_are_what_a_plain_table_of_times_is(steps):
    timers, table = Timers(), dict[tuple[TimerOf, str], int]()
    for step, kind, owner, time in steps:
        if step == "set":
            timers.set(kind, owner, time)
            table[kind, owner] = time
        elif step == "drop":
            timers.drop(kind, owner)
            table.pop((kind, owner), None)
        else:
            found = timers.pop_due(kind, time)
            due = {one: at for (of, one), at in table.items() if of is kind and at <= time}
            assert (found in due and due[found] == min(due.values())) if due else found is None
            table.pop((kind, found), None)
        assert timers.next_due() == min(table.values(), default=None)
