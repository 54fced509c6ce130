"""The events of a task tell its whole story, and name causes that a small model of the rules knows.

The model is told of one event at a time and of what the rules did, move by move; it asks nothing of the rules.
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.core.causes import Cause, CauseKind
from propeller.core.effects import Transition
from propeller.core.events import (
    Event,
    NewGroup,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Definition, GroupKind
from propeller.core.retry import Retry
from propeller.core.states import FAILED, INTERRUPTED, PENDING, RUNNING, SKIPPED
from propeller.core.timers import TimerOf
from propeller.errors import PropellerError
from propeller.store import rows
from tests.core.helpers import CreateTasks, Rules, S, a_task, in_workflow

WORKFLOW = GroupKind.WORKFLOW
NAMES = "abcdef"
WORDS = ("", "failure", "always", "all_done", "any_success")


@st.composite
def specs_of_dags(draw):
    """Draw tasks, each with some of those before it as parents."""
    count = draw(st.integers(1, len(NAMES)))
    found = []
    for number, name in enumerate(NAMES[:count]):
        parents = draw(st.lists(st.sampled_from(NAMES[:number]), unique=True, max_size=3)) if number else []
        options = {"run_if": draw(st.sampled_from(WORDS))} if parents else {}
        if draw(st.booleans()):
            options["deadline_ns"] = draw(st.sampled_from([S, 50 * S]))
        if draw(st.integers(0, 3)) == 0:
            options["retry"] = Retry(max_attempts=2, delay_ns=S)
        found.append(a_task(name, *parents, **options))
    return tuple(found)


#: What happens next, and to which task or proplet.
DEEDS = st.tuples(
    st.sampled_from(
        ["start", "stop", "completes", "fails", "hands back", "lost", "anew", "time", "start all", "stop all"]
    ),
    st.sampled_from(NAMES),
    st.sampled_from("pq"),
)


class Model:
    """What may have made each move, in the model's own words."""

    def __init__(self, specs, *, is_fail_fast):
        self._parents = {spec.id: spec.depends_on for spec in specs}
        self._is_fail_fast = is_fail_fast
        #: By task: all of its moves so far.
        self.story: dict[str, list[Transition]] = {spec.id: [] for spec in specs}

    def _last(self, task_id):
        moves = self.story[task_id]
        return moves[-1] if moves else None

    def causes_of(self, event: Event, move: Transition, turn: list[Transition]) -> list[Cause]:
        """List the causes that a move may have, behind these moves of its turn."""
        task_id = move.task_id
        ended = [one.task_id for one in turn if one.state.has_ended]
        failed = [one.task_id for one in turn if one.state is FAILED]
        found = [Cause(CauseKind.PARENT, one) for one in ended if one in self._parents[task_id]]
        if move.state is RUNNING:
            return [Cause(CauseKind.PLACEMENT)]
        if self._is_fail_fast and move.state in (INTERRUPTED, SKIPPED):
            found += [Cause(CauseKind.TASK, one) for one in failed if one != task_id]
        match event:
            case StartTask() | StopTask() if event.task_id == task_id:
                found.append(Cause(CauseKind.USER))
            case StartGroup() | StopGroup():
                found.append(Cause(CauseKind.USER))
            case RunEnded() | RunHandedBack() if event.task_id == task_id:
                found.append(Cause(CauseKind.PROPLET, proplet_id=event.proplet_id))
            case PropletLost() | PropletSeen() if self._is_on(task_id, event.proplet_id):
                found.append(Cause(CauseKind.PROPLET_LOST, proplet_id=event.proplet_id))
            case TimePassed() if move.state is FAILED:
                found += [Cause(CauseKind.TIMER, timer=timer) for timer in TimerOf]
        return found

    def _is_on(self, task_id, proplet_id):
        last = self._last(task_id)
        return last is not None and last.state is RUNNING and last.proplet_id == proplet_id

    def take(self, event: Event, moves: list[Transition]) -> None:
        turn: list[Transition] = []
        for move in moves:
            known = self.causes_of(event, move, turn)
            assert move.whole_cause in known, f"{move.task_id} {move.state.name}: {move.whole_cause}"
            turn.append(move)
            self.story[move.task_id].append(move)


def event_of(rules: Rules, boots: dict[str, int], deed: tuple[str, str, str]) -> Event | None:
    """Make the event of a deed; None where it can't be now."""
    what, name, proplet_id = deed
    running = [task for task in rules.state.tasks.values() if task.state is RUNNING]
    task = running[NAMES.index(name) % len(running)] if running else None
    match what:
        case "start":
            return StartTask(name)
        case "stop":
            return StopTask(name)
        case "completes" if task:
            return rules.end_of(task.id, results="1\n")
        case "fails" if task:
            return rules.end_of(task.id, failure=Failure("it trapped", ErrorKind.TRAP))
        case "hands back" if task:
            return RunHandedBack(
                proplet_id=task.proplet_id, task_id=task.id, attempt=task.attempt, reason="it is busy"
            )
        case "lost":
            return PropletLost(proplet_id, "its program has ended")
        case "anew":
            boots[proplet_id] += 1
            return PropletSeen(proplet_id=proplet_id, boot=boots[proplet_id], slots=2, metadata={"os": "x"})
        case "time":
            return TimePassed()
        case "start all":
            return StartGroup(WORKFLOW, "w")
        case "stop all":
            return StopGroup(WORKFLOW, "w")
    return None


@settings(deadline=None, max_examples=150)
@given(specs_of_dags(), st.booleans(), st.lists(DEEDS, max_size=25))
def test_the_events_of_a_task_folded_are_the_task_and_each_has_a_cause_that_the_model_knows(
    specs, is_fail_fast, deeds
):
    rules, boots = Rules(), {"p": 1, "q": 1}
    rules.proplet("p", slots=2)
    rules.proplet("q", slots=2)
    group = NewGroup(id="w", kind=WORKFLOW, fail_fast=is_fail_fast, definition=Definition())
    rules.turn(CreateTasks(specs=in_workflow(*specs), group=group))
    model, log = Model(specs, is_fail_fast=is_fail_fast), []
    for deed in [("start all", "a", "p"), *deeds]:
        event = event_of(rules, boots, deed)
        if event is None:
            continue
        try:
            turn = rules.turn(event, after_s=0.3)
        except PropellerError:
            continue
        if turn.changes.transitions:
            assert turn.changes.first_event_id == len(log) + 1
            row = rows.event_row(len(log) + 1, turn.changes.transitions, 1)
            read = rows.to_events([row[1:]])
            log += read
            model.take(event, [move for _, move in read])
    assert [number for number, _ in log] == list(range(1, len(log) + 1))
    for spec in specs:
        task, last = rules.task(spec.id), model._last(spec.id)
        told = (last.state, last.attempt, last.proplet_id, last.error) if last else (PENDING, 0, "", "")
        assert told == (task.state, task.attempt, task.proplet_id, task.error)
        states = [PENDING, *(move.state for move in model.story[spec.id])]
        attempts = [move.attempt for move in model.story[spec.id] if move.state is RUNNING]
        assert attempts == list(range(1, task.attempt + 1)), "each attempt begins once"
        assert all(a is not b or a is PENDING for a, b in pairwise(states))
