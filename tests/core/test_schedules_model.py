"""Schedules against a reference, through crashes, pauses and clocks that are set."""

from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.core.calendar import CatchUp, Overlap
from propeller.core.events import (
    PauseSchedule,
    UpdateTask,
)
from propeller.core.model import GroupKind
from tests.core.helpers import S, a_task
from tests.core.schedules_helpers import (
    EVERY_5,
    at,
    passes,
    patient,
    planned_workflow,
    scheduled,
)

# -- against a reference -----------------------------------------------------------------------------------

OVERLAPS, CATCH_UPS = st.sampled_from(list(Overlap)), st.sampled_from(list(CatchUp))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.integers(0, 900)),
        st.tuples(st.just("forward"), st.integers(0, 4000)),
        st.tuples(st.just("back"), st.integers(0, 4000)),
        st.tuples(st.sampled_from(["ends", "ends", "crash", "pause", "resume", "edit"]), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """What has to run, in words of its own: a pointer into the list of times, and what waits."""

    def __init__(self, overlap: Overlap, catch_up: CatchUp):
        self.overlap, self.catch_up = overlap, catch_up
        self.next = 300
        self.waiting: list[int] = []
        self.is_paused = False

    def tick(self, wall: float, *, is_busy: bool) -> list[int]:
        """Give the times whose runs begin."""
        if self.is_paused:
            return []
        due = []
        while self.next <= wall:
            due.append(self.next)
            self.next += 300
        missed = [time for time in due if wall - time > 60]
        on_time = [time for time in due if wall - time <= 60]
        made_up = {CatchUp.SKIP: [], CatchUp.LATEST: missed[-1:], CatchUp.ALL: missed}[self.catch_up]
        self.waiting += made_up
        if self.overlap is Overlap.SKIP:
            if not is_busy and not self.waiting:
                self.waiting += on_time[:1]
        else:
            self.waiting += on_time
        if self.overlap is Overlap.ALLOW:
            begun, self.waiting = self.waiting, []
        elif self.overlap is Overlap.REPLACE:
            begun, self.waiting = self.waiting[-1:], []
        else:
            begun, self.waiting = ([], self.waiting) if is_busy else (self.waiting[:1], self.waiting[1:])
        return begun


@settings(max_examples=150, deadline=None)
@given(OVERLAPS, CATCH_UPS, STEPS, st.booleans())
def test_the_same_runs_as_a_reference(overlap, catch_up, steps, is_group):
    """At most 100 times come in a step, so that no bound is met."""
    rules, model = patient(), Model(overlap, catch_up)
    rules.proplet(slots=10_000)
    options = {"overlap": overlap, "catch_up": catch_up}
    if is_group:
        planned_workflow(rules, a_task("a"), text=EVERY_5, **options)
    else:
        scheduled(rules, EVERY_5, **options)
    owner = GroupKind.WORKFLOW if is_group else None
    name = "w" if is_group else "a"

    def open_runs():
        return [task for task in rules.state.tasks.values() if task.state.name in ("SCHEDULED", "RUNNING")]

    seen = set()
    for step, amount in steps:
        if step in ("passes", "forward", "back"):
            moved = {"forward": amount, "back": -min(amount, rules.now // S)}.get(step, 0)
            is_busy = bool(open_runs())
            turn = passes(rules, amount if step == "passes" else 1, clock_moved_s=moved)
            expected = model.tick(rules.now / S, is_busy=is_busy)
            begun = sum(move.endswith(" SCHEDULED") for move in turn.moves)
            assert begun == len(expected)
            assert seen.isdisjoint(expected)
            seen.update(expected)
            if expected:
                record = rules.state.groups[name] if is_group else rules.task(name)
                assert record.course.last_run == at(expected[-1])
            if overlap is not Overlap.ALLOW:
                assert len(open_runs()) <= 1
        elif step == "ends" and (running := open_runs()):
            rules.completes(running[0].id)
        elif step == "crash":
            rules.restart()
            rules.proplet(slots=10_000)
        elif step in ("pause", "resume"):
            if step == "resume" and model.is_paused:
                model.next = max(model.next, int(rules.now / S) // 300 * 300 + 300)
            rules.turn(PauseSchedule(owner, name, is_paused=step == "pause"))
            model.is_paused = step == "pause"
            model.waiting = [] if model.is_paused else model.waiting
        elif step == "edit" and not is_group and not open_runs():
            rules.turn(UpdateTask("a", {"priority": 7}))
