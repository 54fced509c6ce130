"""Several managers on one database: the laws hold, and each fault that is planted on purpose breaks its own."""

from functools import partial

import pytest

from propeller.manager.leadership import SPARE, Leadership
from propeller.proplet.following import Following

from . import faults
from .several import Several, simulate_several
from .several_database import LEASE_S, Database
from .several_manager import SeveralManager
from .world import S

SEEDS = 100
CHUNK = 25


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_law_is_broken(first):
    for seed in range(first, first + CHUNK):
        outcome = simulate_several(seed)
        if outcome.law:
            pytest.fail(f"{outcome.story}\n\nseed {seed} breaks a law: {outcome.text}", pytrace=False)


def test_the_same_seed_is_the_same_story():
    assert simulate_several(7).transcript == simulate_several(7).transcript
    assert simulate_several(7).transcript != simulate_several(8).transcript


def test_the_lead_changes_hands_often_and_much_is_done():
    worlds = [Several(seed) for seed in range(5)]
    for several in worlds:
        several.run()
    assert sum(one.checker.takes for one in worlds) > 40
    assert sum(one.checker.commits for one in worlds) > 200
    assert sum(one.checker.runs for one in worlds) > 100


assert_caught = partial(faults.assert_caught, play=simulate_several, seeds=60)


# -- faults in the database ----------------------------------------------------------------------------------


def test_a_write_that_does_not_look_at_the_token():
    class Open(Database):
        def is_fenced(self, held):
            return False

    assert_caught("one-leader", "store", database_class=Open)


def test_a_write_that_looks_at_the_token_alone():
    """A replica that lacks a take-over gives its token again."""

    class Alone(Database):
        def is_fenced(self, held):
            return held.token != self.token or not self.holder

    assert_caught("one-leader", "store", "durable", "no-word-after-lease", database_class=Alone)


def test_a_take_over_that_does_not_raise_the_token():
    class Flat(Database):
        def _take(self, holder):
            self.token -= self.token > 0
            super()._take(holder)

    assert_caught("one-leader", database_class=Flat)


def test_a_take_over_while_the_lease_holds():
    class Hasty(Database):
        def take(self, holder):
            self._expires_at = 0.0
            return super().take(holder)

    assert_caught("no-word-after-lease", database_class=Hasty)


def test_a_commit_that_is_made_again_though_it_had_come_through():
    class Forgetful(Database):
        def commit(self, held, commits, changes):
            return super().commit(held, self.commits, changes)

    assert_caught("store", "once", database_class=Forgetful)


# -- faults in a manager -------------------------------------------------------------------------------------


def test_acting_after_the_lease():
    class Endless(Leadership):
        def may_act(self, now):
            return self.token is not None

    assert_caught("no-word-after-lease", leadership_class=Endless)


def test_a_lease_that_is_counted_from_its_answer():
    class FromTheAnswer(SeveralManager):
        def _go_on(self):
            self._leadership._acts_until = self.ticks() + int(LEASE_S * (1 - SPARE) * S)
            super()._go_on()

    assert_caught("no-word-after-lease", manager_class=FromTheAnswer)


def test_a_commit_without_an_answer_that_is_taken_for_done():
    class Hopeful(SeveralManager):
        def _commit(self, step):
            def failed():
                self._commits += 1
                self._advance(None)

            def answered(outcome):
                if outcome == "done":
                    failed()
                else:
                    self._lose()

            held, commits = self.held, self._commits
            do = lambda: self._database.commit(held, commits, step.changes)  # noqa: E731
            self._ask_database(do, answered, failed)

    assert_caught("durable", "store", "once", "times", "ends", "no-defect", manager_class=Hopeful)


def test_a_leader_that_goes_on_from_what_it_remembers():
    class Nostalgic(SeveralManager):
        remembered = None

        def _load(self):
            if self.remembered is None:
                super()._load()
            else:
                self.cluster = self.remembered
                self._tick()

        def _end_term(self):
            self.remembered = getattr(self, "cluster", None) or self.remembered
            super()._end_term()

    assert_caught("store", "durable", "no-defect", "once", manager_class=Nostalgic)


def test_a_leader_that_gives_the_lead_back_and_acts_on():
    class Lingering(SeveralManager):
        def stop(self):
            held = self.held
            if held.token:
                self.line.ask(lambda: self._database.release(held), lambda _: None, lambda: None, 2.0)

    assert_caught("no-word-after-lease", manager_class=Lingering)


# -- faults in a proplet -------------------------------------------------------------------------------------


def test_a_proplet_that_obeys_a_leader_of_before():
    class Obedient(Following):
        def heeds(self, message, now):
            return True

    assert_caught("one-leader", following_class=Obedient)
