"""Proplets elsewhere: foreign ones, tags, cordons, drains, load, and being forgotten."""

import pytest

from propeller.core.effects import Refused
from propeller.core.events import (
    ConnectionLost,
    ConnectionRestored,
    CordonProplet,
    DeleteTask,
    DrainProplet,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunSeen,
    TimePassed,
)
from propeller.core.names import attempt_of, foreign_id
from propeller.core.placement import Order
from propeller.core.policy import Policy
from propeller.errors import NotFound
from tests.core.helpers import Rules, a_task


def foreign(proplet_id: str = "f", **fields) -> PropletSeen:
    return PropletSeen(proplet_id=proplet_id, boot=0, **fields)


def on_a_foreign_proplet(policy: Policy | None = None) -> Rules:
    rules = Rules(policy)
    rules.turn(foreign(is_hello=True, metadata={}))
    rules.turn(foreign())
    rules.create(a_task("a"))
    rules.start("a")
    return rules


def test_no_more_foreign_proplets_are_known_than_the_limit():
    """Anybody may make some up; those that know ours are held to their topics, and so not limited."""
    rules = Rules(Policy(foreign_max=2))
    rules.proplet("ours")
    for name in ("a", "b", "c"):
        rules.turn(foreign(name, is_hello=True, metadata={}))
    refused = rules.turn(foreign("c"))
    assert list(rules.state.proplets) == ["ours", "a", "b"]
    assert refused.effects == [Refused("c", "", "2 proplets that only know the contract are known already")]
    rules.proplet("ours too")
    rules.turn(foreign("a"))
    assert rules.state.proplets["a"].is_alive


# -- foreign proplets ----------------------------------------------------------------------------------------


def test_a_foreign_result_needs_no_attempt_and_no_sender():
    for sender in ("f", ""):
        rules = on_a_foreign_proplet()
        end = RunEnded(proplet_id=sender, task_id="a", attempt=0, results="30")
        turn = rules.turn(end)
        assert turn.moves == ["a COMPLETED"]
        assert turn.sent == [], "it would not know what an acknowledgement is"
        assert rules.task("a").results == "30"


def test_a_foreign_result_of_another_proplet_is_refused():
    rules = on_a_foreign_proplet()
    rules.turn(foreign("g"))
    assert rules.turn(RunEnded(proplet_id="g", task_id="a", attempt=0)).sent == ["refuse a of g"]


def test_a_foreign_proplet_that_says_nothing_loses_the_task_in_the_end():
    rules = on_a_foreign_proplet(Policy(foreign_lease_s=60, losses_max=1, liveness_s=30))
    for _ in range(5):
        rules.turn(foreign(), after_s=10)
        assert rules.turn(TimePassed()).moves == []
    rules.turn(foreign(), after_s=11)
    turn = rules.turn(TimePassed())
    assert turn.moves == ["a SCHEDULED", "a RUNNING"]
    assert turn.sent == ["stop a 1 on f", "start a 2 on f"]
    for _ in range(5):
        rules.turn(foreign(), after_s=10)
    assert rules.turn(TimePassed(), after_s=11).moves == ["a FAILED"]
    assert "acknowledges nothing, sent no result within 60 s" in rules.task("a").error


def test_a_foreign_proplet_that_says_hello_again_was_started_anew():
    rules = on_a_foreign_proplet()
    assert rules.turn(foreign()).moves == []
    assert rules.turn(foreign(is_hello=True, metadata={})).moves == ["a SCHEDULED"]
    assert rules.turn(foreign()).moves == ["a RUNNING"]


def test_a_foreign_proplet_gets_work_only_once_it_listens():
    """It says hello before it subscribes: a start in between would be lost."""
    rules = Rules()
    rules.create(a_task("a"))
    rules.start("a")
    assert rules.turn(foreign(is_hello=True, metadata={})).moves == []
    assert str(rules.task("a").reason) == "waits for a proplet: none is alive"
    assert rules.turn(foreign()).sent == ["start a 1 on f"]


def test_a_start_that_a_foreign_proplet_shows_no_sign_of_is_repeated_a_few_times():
    rules = on_a_foreign_proplet(Policy(resend_s=5, liveness_s=10_000, foreign_lease_s=1000))
    repeated = []
    for second in range(300):
        turn = rules.turn(TimePassed(), after_s=1)
        repeated += [second + 1] if turn.sent == ["start a 1 on f"] else []
        assert turn.moves == []
    assert repeated == [5, 20, 65]


def test_a_start_is_repeated_while_nobody_is_judged_yet():
    rules = on_a_foreign_proplet(Policy(resend_s=5, liveness_s=10_000, foreign_lease_s=8))
    rules.turn(ConnectionLost())
    assert rules.turn(TimePassed(), after_s=20).sent == []
    rules.turn(ConnectionRestored())
    turn = rules.turn(TimePassed(), after_s=6)
    assert (turn.sent, turn.moves) == (["start a 1 on f"], [])
    assert rules.turn(TimePassed(), after_s=6).moves == []
    assert rules.turn(TimePassed(), after_s=9).moves[:1] == ["a SCHEDULED"]


def test_a_start_is_not_repeated_that_a_foreign_proplet_has_heard():
    rules = on_a_foreign_proplet(Policy(resend_s=5, liveness_s=10_000, foreign_lease_s=100))
    rules.turn(RunSeen("f", "a"), after_s=1)
    for _ in range(98):
        assert rules.turn(TimePassed(), after_s=1).sent == []
    assert rules.turn(TimePassed(), after_s=2).sent[0] == "stop a 1 on f"


def test_what_a_foreign_proplet_has_done_is_not_started_again():
    rules = on_a_foreign_proplet(Policy(resend_s=5, liveness_s=10_000))
    rules.turn(RunEnded(proplet_id="f", task_id="a", attempt=0))
    rules.start("a")
    assert rules.turn(TimePassed(), after_s=6).sent == ["start a 2 on f"]


def test_the_lease_of_a_foreign_proplet_goes_on_over_a_restart_of_the_manager():
    rules = on_a_foreign_proplet(Policy(liveness_s=10_000, foreign_lease_s=100))
    rules.turn(RunSeen("f", "a"), after_s=60)
    rules.restart()
    rules.turn(RunSeen("f", "a"), after_s=30)
    assert rules.turn(TimePassed()).moves == []
    assert rules.turn(TimePassed(), after_s=11).sent[0] == "stop a 1 on f"


def test_a_foreign_proplet_gets_no_more_than_its_share():
    rules = Rules(Policy(foreign_slots=2))
    rules.turn(foreign())
    rules.create(*(a_task(name) for name in "abc"))
    for name in "abc":
        rules.start(name)
    assert rules.states() == {"a": "RUNNING", "b": "RUNNING", "c": "SCHEDULED"}


# -- out of service ------------------------------------------------------------------------------------------


def test_a_cordoned_proplet_finishes_what_it_has_and_gets_nothing_new():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a"), a_task("b"))
    rules.start("a")
    rules.turn(CordonProplet("p"))
    rules.start("b")
    assert str(rules.task("b").reason) == "waits for a proplet: all that are alive are cordoned"
    rules.proplet("p")
    assert rules.completes("a").moves == ["a COMPLETED"]
    assert rules.turn(CordonProplet("p", is_cordoned=False)).moves == ["b RUNNING"]


def test_a_drain_moves_elsewhere_what_does_not_end_in_time_and_counts_no_loss():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a"))
    rules.start("a")
    rules.turn(DrainProplet("p", 60))
    rules.proplet("q")
    for _ in range(5):
        assert rules.turn(TimePassed(), after_s=10).moves == []
        rules.proplet("p")
        rules.proplet("q")
    turn = rules.turn(TimePassed(), after_s=11)
    assert turn.sent == ["stop a 1 on p", "start a 2 on q"]
    assert rules.task("a").losses == 0
    assert rules.state.proplets["p"].is_cordoned


def test_a_drain_without_a_limit_waits():
    rules = Rules(Policy(liveness_s=10**6))
    rules.proplet("p")
    rules.create(a_task("a"))
    rules.start("a")
    rules.turn(DrainProplet("p"))
    assert rules.turn(TimePassed(), after_s=10**5).moves == []


def test_a_proplet_that_is_not_known_can_not_be_taken_out_of_service():
    for command in (CordonProplet("p"), DrainProplet("p")):
        with pytest.raises(NotFound):
            Rules().turn(command)


# -- where tasks go ------------------------------------------------------------------------------------------


def test_a_task_with_tags_waits_for_a_proplet_that_has_them_all():
    rules = Rules()
    rules.proplet("p", metadata={"tags": ["edge"]})
    rules.create(a_task("a", required_tags=("edge", "gpu")), a_task("b"))
    rules.start("a")
    assert (
        str(rules.task("a").reason)
        == "waits for a proplet with the tags edge, gpu: none that takes work has it"
    )
    assert rules.start("b").moves == ["b SCHEDULED", "b RUNNING"]
    assert rules.proplet("q", metadata={"tags": ["gpu", "edge", "more"]}).sent == ["start a 1 on q"]


def test_a_proplet_that_gets_a_tag_gets_the_tasks_that_wait_for_it():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a", required_tags=("gpu",)))
    rules.start("a")
    assert rules.proplet("p", metadata={"tags": ["gpu"]}).moves == ["a RUNNING"]


def test_a_pin_stands_above_tags():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a", pin="p", required_tags=("gpu",)))
    assert rules.start("a").moves == ["a SCHEDULED", "a RUNNING"]


def where_four_go(order: Order) -> list[str]:
    """Start four tasks one by one; ``p`` is busy with two already."""
    rules = Rules(Policy(placement=order))
    rules.proplet("p", slots=10)
    rules.create(a_task("x"), a_task("y"), *(a_task(f"t{n}") for n in range(4)))
    rules.start("x")
    rules.start("y")
    rules.proplet("q", slots=10)
    return [rules.start(f"t{n}").sent[0].split()[-1] for n in range(4)]


def test_round_robin_takes_turns():
    assert sorted(where_four_go(Order.ROUND_ROBIN)) == ["p", "p", "q", "q"]


def test_least_loaded_fills_up_who_has_less():
    assert where_four_go(Order.LEAST_LOADED)[:2] == ["q", "q"]


# -- memory --------------------------------------------------------------------------------------------------


def test_a_proplet_that_was_not_heard_of_for_long_is_forgotten():
    rules = Rules(Policy(forget_s=100))
    rules.proplet("p")
    rules.proplet("serviced")
    rules.turn(CordonProplet("serviced"))
    rules.turn(PropletLost("p", "it ended"))
    rules.turn(PropletLost("serviced", "it ended"))
    rules.turn(TimePassed(), after_s=99)
    assert "p" in rules.state.proplets
    rules.turn(TimePassed(), after_s=2)
    assert list(rules.state.proplets) == ["serviced"], "somebody means to bring it back"


def test_a_proplet_of_which_nothing_is_known_is_asked():
    rules = Rules()
    assert rules.turn(PropletSeen(proplet_id="p", boot=1, slots=2)).sent == ["ask p"]
    assert rules.turn(PropletSeen(proplet_id="p", boot=1, slots=2, metadata={"os": "linux"})).sent == []


def test_what_a_restarted_proplet_still_has_to_report_is_not_given_back():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a"), a_task("b"))
    rules.start("a")
    rules.start("b")
    turn = rules.turn(
        PropletSeen(proplet_id="p", boot=2, slots=10, running=(("a", 1),), metadata={"os": "linux"})
    )
    assert turn.moves == ["b SCHEDULED", "b RUNNING"]
    assert rules.completes("a", "30\n").moves == ["a COMPLETED"]


def test_a_task_that_is_created_again_goes_on_counting():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a"))
    rules.start("a")
    assert rules.turn(DeleteTask("a")).changes.past_attempts == {"a": 1}
    rules.create(a_task("a"))
    assert rules.start("a").sent == ["start a 2 on p"]


def test_a_remote_proplet_can_not_take_the_place_of_a_local_one():
    rules = Rules()
    rules.proplet("p", is_local=True)
    turn = rules.proplet("p", boot=9)
    assert turn.sent == ["refuse  of p"]
    assert rules.state.proplets["p"].boot == 1


def test_a_late_result_of_a_foreign_proplet_is_told_from_that_of_the_next_attempt():
    rules = on_a_foreign_proplet()
    rules.turn(foreign(is_hello=True, metadata={}))
    rules.turn(foreign())
    assert rules.task("a").attempt == 2
    late = RunEnded(proplet_id="f", task_id="a", attempt=0, results="late")
    assert rules.turn(late).moves == []
    end = RunEnded(proplet_id="f", task_id="a~2", attempt=0, results="30")
    assert rules.turn(end).moves == ["a COMPLETED"]
    assert rules.task("a").results == "30"


@pytest.mark.parametrize("task_id", ["a", "a~b", "a~2", "a~2~3", "~1", "~", "a~02", "ü\n"])
@pytest.mark.parametrize("attempt", [1, 2, 17])
def test_attempts_of_foreign_proplets_are_never_mixed_up(task_id, attempt):
    assert attempt_of(foreign_id(task_id, attempt)) == (task_id, attempt)
    assert foreign_id("a", 1) == "a", "as the contract has it"
