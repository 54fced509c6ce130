"""The simulation sees faults in how managers on one channel, and proplets between them, go about it."""

from propeller.manager.standing import Standing
from propeller.proplet.following import Following

from .faults import assert_caught


def test_a_manager_does_not_wait_whether_another_is_there():
    class Hasty(Standing):
        def heard(self, said, moment):
            return [] if said.manager_id != self.id else super().heard(said, moment)

        def _patience_s(self):
            return 0.0

    assert_caught("one-manager", standing_class=Hasty)


def test_a_proplet_obeys_whoever_speaks():
    class Obedient(Following):
        def heeds(self, message, now):
            return True

    assert_caught("one-manager", following_class=Obedient)


def test_a_proplet_follows_whoever_was_there_last():
    class Fickle(Following):
        def _may_follow(self, who, now):
            return True

        def is_alone(self, now):
            return True

    assert_caught("one-manager", following_class=Fickle)
