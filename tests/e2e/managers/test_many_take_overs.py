"""The lead changes hands ten times while workflows, jobs and a schedule run; a hundred times in ``__main__``."""

from tests.e2e.managers.many import play

TAKE_OVERS = 10


def test_nothing_is_lost_or_doubled_when_the_lead_changes_hands(make_several, tmp_path):
    with make_several(tmp_path / "several", proplets=2) as several:
        several.begin("a", "b", "c", MANAGER_LEASE="1s")
        print(play(several, TAKE_OVERS))
