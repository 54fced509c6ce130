"""The module policy: which modules tasks may run, and by which roads they come."""

import msgspec
import pytest

from propeller.core.effects import SendStart
from propeller.core.events import CloneGroup, RerunGroup, StartGroup, StartTask, TimePassed, UpdateTask
from propeller.core.failures import ErrorKind
from propeller.core.model import GroupKind, Module, SubWorkflow
from propeller.core.policy import Policy
from propeller.core.sandbox import Offer
from propeller.core.trust import ModuleRule, Trust
from propeller.errors import Conflict, Invalid
from tests.core.helpers import MODULE, Rules, a_task
from tests.core.schedules_helpers import HOUR, passes

OTHER = Module(digest="other", size_bytes=1)
BY_DIGEST = f"registry.example/it@sha256:{'0' * 64}"
BY_TAG = "registry.example/it:1"
ON_THE_WEB = "https://example.com/it.wasm"


class Keys:
    """Keys whose signatures are ``<key> <digest>``."""

    def __init__(self):
        self.texts = {"ann": "key of ann"}

    def signer_of(self, digest, signature):
        name, _, signed = signature.partition(" ")
        return name if name in self.texts and signed == digest else ""


def under(rule, rules=None):
    """Rules under a policy; those of before, as a new manager has them, if there are some."""
    policy = Policy(trust=Trust(rule=rule, keys=Keys()))
    if rules is None:
        return Rules(policy)
    rules.state.policy = policy
    return rules


SIGNED = {"signature": "ann m"}


@pytest.mark.parametrize(
    ("rule", "fields", "said"),
    [
        (ModuleRule.ANY, {}, ""),
        (ModuleRule.ANY, {"module": None, "image_url": ON_THE_WEB}, ""),
        (ModuleRule.ANY, {"signature": "bob m"}, "signature: none of the keys"),
        (ModuleRule.ANY, {"signature": "ann other"}, "signature: none of the keys"),
        (ModuleRule.PINNED, {}, ""),
        (ModuleRule.PINNED, {"module": None}, ""),
        (ModuleRule.PINNED, {"module": None, "image_url": BY_DIGEST}, ""),
        (ModuleRule.PINNED, {"module": None, "image_url": BY_TAG}, "image_url: the module policy"),
        (ModuleRule.PINNED, {"module": None, "image_url": ON_THE_WEB}, "image_url: the module policy"),
        (
            ModuleRule.PINNED,
            {"module": None, "image_url": f"{ON_THE_WEB}@sha256:{'0' * 64}"},
            "image_url: the module policy",
        ),
        (ModuleRule.SIGNED, SIGNED, ""),
        (ModuleRule.SIGNED, {"module": None}, ""),
        (ModuleRule.SIGNED, {}, "signature: the module policy of this manager is signed"),
        (ModuleRule.SIGNED, {"signature": "bob m"}, "signature: none of the keys"),
        (ModuleRule.SIGNED, {"module": None, "image_url": BY_TAG}, ""),
        (ModuleRule.SIGNED, {"module": None, "image_url": ON_THE_WEB}, "signature: the module policy"),
        (ModuleRule.SIGNED, {"module": None, "image_url": ON_THE_WEB, "signature": "ann m"}, ""),
    ],
)
def test_a_module_that_the_policy_does_not_allow_is_refused_when_it_comes(rule, fields, said):
    spec = a_task("a", **fields)
    rules = under(rule)
    inside = a_task("outer", module=None, workflow=SubWorkflow(specs=(a_task("b", **fields),)))
    if not said:
        rules.create(spec)
        if spec.module or spec.image_url:
            rules.create(inside)
        return
    with pytest.raises(Invalid, match=said):
        rules.create(spec)
    with pytest.raises(Invalid, match=rf"tasks\[0\]\.{said}"):
        rules.workflow(spec)
    with pytest.raises(Invalid, match=rf"workflow\.tasks\[0\]\.{said}"):
        rules.create(inside)
    rules.create(a_task("a", module=None))
    changes = {name: value for name, value in {"module": MODULE, **fields}.items() if value is not None}
    with pytest.raises(Invalid, match=said):
        rules.turn(UpdateTask("a", changes))
    assert rules.task("a").spec.module is None


def test_a_signature_without_keys_that_could_check_it_is_refused():
    with pytest.raises(Invalid, match="signature: this manager knows no keys"):
        Rules().create(a_task("a", **SIGNED))


def test_a_signature_goes_with_the_module_that_it_is_of():
    rules = under(ModuleRule.ANY)
    rules.create(a_task("a", **SIGNED))
    rules.turn(UpdateTask("a", {"name": "else"}))
    assert rules.task("a").spec.signature == "ann m"
    rules.turn(UpdateTask("a", {"module": MODULE}))
    assert rules.task("a").spec.signature == "ann m"
    rules.turn(UpdateTask("a", {"module": OTHER}))
    assert rules.task("a").spec.signature == ""
    rules.turn(UpdateTask("a", {"signature": "ann other"}))
    assert rules.task("a").spec.signature == "ann other"


def refused_under_signed(rules, task_id):
    failure = rules.task(task_id).failure
    return failure.kind is ErrorKind.REFUSED and failure.error.startswith("signature: the module policy")


def test_what_was_there_before_the_policy_does_not_start_by_any_road():
    rules = under(ModuleRule.ANY)
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b", "a", **SIGNED))
    rules.create(a_task("c"))
    under(ModuleRule.SIGNED, rules)
    for command in (
        StartTask("c"),
        StartTask("a"),
        StartGroup(GroupKind.WORKFLOW, "w"),
    ):
        with pytest.raises(Conflict, match="the module policy of this manager is signed"):
            rules.turn(command)
    with pytest.raises(Invalid, match="task a: signature: the module policy"):
        rules.turn(CloneGroup(GroupKind.WORKFLOW, "w", "new"))
    assert set(rules.states().values()) == {"PENDING"}


def test_what_was_there_before_is_not_run_again_by_hand():
    rules = under(ModuleRule.ANY)
    rules.proplet()
    rules.workflow(a_task("a"))
    rules.start_workflow()
    rules.fails("a")
    under(ModuleRule.SIGNED, rules)
    with pytest.raises(Conflict, match="the module policy of this manager is signed"):
        rules.turn(RerunGroup(GroupKind.WORKFLOW, "w"))


def test_a_run_of_a_schedule_fails_once_the_policy_has_changed():
    rules = under(ModuleRule.ANY)
    rules.proplet()
    rules.create(a_task("a", schedule="@hourly", is_recurring=True))
    under(ModuleRule.SIGNED, rules)
    passes(rules, HOUR)
    assert rules.states() == {"a": "FAILED"}
    assert refused_under_signed(rules, "a")


def test_a_task_in_a_workflow_of_a_task_fails_once_the_policy_has_changed():
    rules = under(ModuleRule.ANY)
    rules.proplet()
    rules.create(a_task("outer", module=None, workflow=SubWorkflow(specs=(a_task("b"),))))
    under(ModuleRule.SIGNED, rules)
    rules.turn(StartTask("outer"))
    rules.turn(TimePassed())
    rules.turn(TimePassed())
    assert rules.states()["outer"] == "FAILED"
    assert "the module policy of this manager is signed" in rules.task("outer").error


@pytest.mark.parametrize("fields", [{}, {"broadcast": True}, {"pin": "p"}])
def test_what_waited_for_a_proplet_when_the_policy_changed_fails_when_there_is_one(fields):
    rules = under(ModuleRule.ANY)
    rules.create(a_task("a", **fields))
    rules.start("a")
    assert rules.states() == {"a": "SCHEDULED"}
    under(ModuleRule.SIGNED, rules)
    rules.proplet()
    assert rules.states() == {"a": "FAILED"}
    assert refused_under_signed(rules, "a")


def test_a_proplet_is_told_which_keys_count():
    rules = under(ModuleRule.SIGNED)
    rules.proplet()
    rules.create(a_task("a", **SIGNED))
    (start,) = [effect for effect in rules.start("a").effects if isinstance(effect, SendStart)]
    assert start.keys == {"ann": "key of ann"}
    rules = under(ModuleRule.PINNED)
    rules.proplet()
    rules.create(a_task("a", **SIGNED))
    (start,) = [effect for effect in rules.start("a").effects if isinstance(effect, SendStart)]
    assert start.keys is None


def test_an_image_that_has_to_be_signed_goes_only_where_that_is_checked():
    checks = {"offers": msgspec.to_builtins(Offer(checks_signatures=True))}
    rules = under(ModuleRule.SIGNED)
    rules.proplet("old", metadata={"offers": msgspec.to_builtins(Offer())})
    rules.proplet("foreign", boot=0)
    rules.create(a_task("a", module=None, image_url=BY_TAG))
    rules.start("a")
    assert "does not check who has signed" in str(rules.state.why_waits(rules.task("a")))
    assert rules.proplet("new", metadata=checks).sent == ["start a 1 on new"]


def test_a_task_that_ends_no_module_and_no_image_is_not_held_to_the_policy():
    rules = under(ModuleRule.SIGNED)
    rules.proplet()
    rules.create(a_task("outer", module=None, workflow=SubWorkflow(specs=(a_task("b", **SIGNED),))))
    rules.turn(StartTask("outer"))
    sent = [*rules.turn(TimePassed()).sent, *rules.turn(TimePassed()).sent]
    assert [text.partition(" 1 ")[2] for text in sent] == ["on p"]
