"""Who follows a workflow or a job looks at all of its tasks only where the stream may have left something out."""

import io

from propeller.cli import formatting
from propeller.cli.board import Board
from propeller.cli.live import Lines, Target, follow
from propeller.cli.session import Session
from propeller.core.states import COMPLETED, FAILED, RUNNING, SCHEDULED

from .test_drawing import a_task, an_event


class Manager:
    """Has two tasks, tells of some events, and writes down what it is asked for."""

    def __init__(self, events, tasks, *, knows_brief_answers=True):
        self._events = events
        self._tasks = tasks
        self._knows_brief_answers = knows_brief_answers
        self.asked = []

    def follow(self, **only):
        self.asked.append(only)
        yield from self._events

    def target(self):
        return Target("job", "j", self._start, self._start, self._look, self._look_briefly)

    def _start(self, group_id):
        self.asked.append("start")

    def _look(self, group_id):
        self.asked.append("look")
        return {"tasks": self._tasks}

    def _look_briefly(self, group_id):
        if not self._knows_brief_answers:
            return self._look(group_id)
        self.asked.append("brief look")
        counts = {name.lower(): 0 for name in formatting.STATES}
        for task in self._tasks:
            counts[formatting.state_name(task["state"]).lower()] += 1
        return {"counts": counts}


def follow_all(manager):
    board = Board([a_task("a"), a_task("b")])
    changed = [task_id for ids in follow(manager, manager.target(), board) for task_id in ids]
    return changed, manager.asked[1:]


class Output:
    """Standard output that is no terminal."""

    def __init__(self):
        self.lines = []
        self.is_terminal = False
        self.file = io.StringIO()

    def print(self, line):
        self.lines.append(line)


def lines_of(count, failures):
    """What a pipe gets while so many tasks run, of which some fail."""
    session = Session()
    session.out = Output()
    board = Board([a_task(f"t{number}") for number in range(count)])
    lines = Lines(session, board)
    for state, second in ((SCHEDULED, "01"), (RUNNING, "02")):
        for number in range(count):
            lines.show(board.take_event(an_event(f"t{number}", state, second)))
    for number in range(count):
        end = FAILED if number < failures else COMPLETED
        lines.show(board.take_event(an_event(f"t{number}", end, "03")))
    return session.out.lines


def test_a_pipe_gets_a_line_for_each_of_few_tasks_and_not_for_each_of_many():
    assert lines_of(3, 1) == ["t0: Failed", "t1: Completed", "t2: Completed"]
    assert lines_of(3000, 2) == ["t0: Failed", "t1: Failed"]
    assert len(lines_of(3000, 1000)) == 20


def test_who_watches_starts_nothing():
    manager = Manager([None, END_OF_A, None, END_OF_B], [a_task("a"), a_task("b")])
    board = Board([a_task("a"), a_task("b")])
    changed = list(follow(manager, manager.target(), board, starts=False))
    assert changed == [[], ["a"], ["a"], ["b"]]
    assert "start" not in manager.asked


END_OF_A, END_OF_B = (an_event(name, COMPLETED, "01") for name in "ab")


def test_a_quiet_stream_costs_a_brief_look():
    manager = Manager([None, END_OF_A, None, END_OF_B], [a_task("a", COMPLETED), a_task("b")])
    assert follow_all(manager) == (["a", "b"], ["start", "brief look"])


def test_what_the_stream_left_out_is_looked_up():
    ended = [a_task("a", COMPLETED), a_task("b", COMPLETED)]
    manager = Manager([None, END_OF_A, None], ended)
    assert follow_all(manager) == (["a", "b"], ["start", "brief look", "look"])


def test_a_manager_that_knows_no_brief_answers_is_asked_once():
    ended = [a_task("a", COMPLETED), a_task("b", COMPLETED)]
    manager = Manager([None, None], ended, knows_brief_answers=False)
    assert follow_all(manager) == (["a", "b"], ["start", "look"])
