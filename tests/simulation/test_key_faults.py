"""The simulation sees faults in how commands under idempotency keys are carried out once."""

from msgspec.structs import replace

from propeller.core.idempotency import Memory, Remembered
from propeller.manager import engine
from propeller.manager.engine import Commit

from .faults import assert_caught, spoil
from .simulation import Simulation
from .store import SimulatedStore


def test_a_key_is_committed_after_its_command(monkeypatch):
    real_turn, late = engine.turn, {}

    def with_the_next_commit(cluster, *args):
        steps, reply = real_turn(cluster, *args), None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            if isinstance(step, Commit):
                before, late[cluster] = late.get(cluster, []), step.changes.remembered
                step = Commit(replace(step.changes, remembered=before))
            reply = yield step

    monkeypatch.setattr(engine, "turn", with_the_next_commit)
    assert_caught("one-key", "same-answer")


def test_keys_are_forgotten_in_a_crash():
    class ForgetfulStore(SimulatedStore):
        def crashed(self):
            self.keys.clear()

    assert_caught("one-key", store_class=ForgetfulStore)


def test_a_command_that_comes_twice_in_one_turn_is_carried_out_twice(monkeypatch):
    def remember(self, key, created, now):
        self.new.append(Remembered(key, now, tuple(task.id for task in created)))

    monkeypatch.setattr(Memory, "remember", remember)
    assert_caught("one-key", "same-answer")


def test_a_command_that_is_refused_is_remembered(monkeypatch):
    def remembers_all(real, cluster, ask, now, memory):
        answer = real(cluster, ask, now, memory)
        if ask.key is not None and isinstance(answer.outcome, Exception) and ask.key.text not in memory._done:
            memory.remember(ask.key, [], now)
        return answer

    spoil(monkeypatch, engine, "_carry_out_once", remembers_all)
    assert_caught("same-answer")


def test_the_requests_of_a_key_are_not_compared(monkeypatch):
    monkeypatch.setattr(Remembered, "check_is", lambda *_: None)
    assert_caught("same-answer")


def test_the_ids_of_the_second_request_are_answered(monkeypatch):
    def forgets_ids(real, cluster, ask, now, memory):
        answer = real(cluster, ask, now, memory)
        if isinstance(answer.outcome, Remembered) and answer.outcome.task_ids:
            return replace(answer, outcome=replace(answer.outcome, task_ids=(ask.command.specs[0].id,)))
        return answer

    spoil(monkeypatch, engine, "_carry_out_once", forgets_ids)
    assert_caught("same-answer")


def test_keys_are_sent_again_in_these_worlds(monkeypatch):
    """A law about what comes twice proves nothing where all comes once."""
    again = 0

    def counted(real, cluster, ask, now, memory):
        nonlocal again
        answer = real(cluster, ask, now, memory)
        again += isinstance(answer.outcome, Remembered)
        return answer

    spoil(monkeypatch, engine, "_carry_out_once", counted)
    for seed in range(20):
        Simulation(seed).run()
    assert again > 20
