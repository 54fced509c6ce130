"""What is kept of each attempt for who asks where its result comes from."""

from propeller.core.events import RerunGroup, StartTask, UpdateTask
from propeller.core.failures import Failure
from propeller.core.model import GroupKind
from propeller.core.policy import Policy
from propeller.core.ran import Ran
from propeller.core.retry import Retry
from propeller.core.trust import ModuleRule, Trust
from tests.core.helpers import MODULE, Rules, a_task
from tests.core.test_rules_modules import Keys

SAID = Ran(digest="m", runtime="wasmtime 50", version="1")


def test_a_task_has_what_its_last_attempt_ran_and_its_attempts_what_they_did():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    rules.start("a")
    rules.turn(rules.end_of("a", ran=SAID))
    assert rules.task("a").ran == SAID
    rules.turn(UpdateTask("a", {"name": "else"}))
    turn = rules.start("a")
    assert rules.task("a").ran is None
    assert [past.ran for _, past in turn.changes.attempts] == [SAID]
    rules.turn(rules.end_of("a", ran=SAID))
    assert rules.task("a").ran.revision == rules.task("a").spec.revision == 1


def test_an_attempt_that_is_tried_again_has_it_too():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a", retry=Retry(max_attempts=2)))
    rules.start("a")
    turn = rules.turn(rules.end_of("a", ran=SAID, failure=Failure("it trapped")))
    assert [past.ran for _, past in turn.changes.attempts] == [SAID]


def test_each_proplet_of_a_broadcast_has_its_own():
    rules = Rules()
    rules.proplet("p")
    rules.proplet("q")
    rules.create(a_task("a", broadcast=True))
    rules.start("a")
    for proplet_id in ("p", "q"):
        there = Ran(digest="m", runtime=proplet_id)
        attempt = rules.task("a").executions[proplet_id].attempt
        end = rules.end_of("a", ran=there)
        rules.turn(type(end)(proplet_id=proplet_id, task_id="a", attempt=attempt, ran=there))
    assert {one.proplet_id: one.ran.runtime for one in rules.task("a").executions.values()} == {
        "p": "p",
        "q": "q",
    }


def test_a_proplet_that_does_not_say_has_run_what_it_was_sent_if_a_result_came_of_it():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"), a_task("b"), a_task("c", module=None, image_url="registry.example/c"))
    for task_id, failure in (("a", None), ("b", Failure("no module")), ("c", None)):
        rules.start(task_id)
        rules.turn(rules.end_of(task_id, failure=failure))
    assert [rules.task(task_id).ran for task_id in "abc"] == [Ran(digest=MODULE.digest), None, None]


def test_the_manager_names_the_signer_of_a_module_and_believes_the_proplet_about_an_image():
    rules = Rules(Policy(trust=Trust(rule=ModuleRule.ANY, keys=Keys())))
    rules.proplet()
    claims = Ran(digest="m", signer="bob")
    rules.create(
        a_task("a", signature="ann m"), a_task("b"), a_task("c", module=None, image_url="registry.example/c")
    )
    for task_id in "abc":
        rules.turn(StartTask(task_id))
        rules.turn(rules.end_of(task_id, ran=claims))
    assert [rules.task(task_id).ran.signer for task_id in "abc"] == ["ann", "", "bob"]


def test_what_ran_is_forgotten_by_no_restart():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b"))
    rules.start_workflow()
    for task_id in "ab":
        rules.turn(rules.end_of(task_id, ran=SAID, failure=Failure("it trapped")))
    turn = rules.turn(RerunGroup(GroupKind.WORKFLOW, "w"))
    assert [past.ran for _, past in turn.changes.attempts] == [SAID, SAID]
