"""What the one place that decides allows, and in which words it refuses."""

import pytest

from propeller.access.decision import Owned, authorize
from propeller.access.principal import LOCAL, Principal
from propeller.access.roles import NEEDS, Action, Role, may
from propeller.errors import Forbidden, NotFound


def somebody(role, name="ann", namespaces=None):
    return Principal(name=name, role=role, namespaces=namespaces, how="token")


ANNS = Owned("task", "t1", "default", "ann")
BOBS = Owned("task", "t2", "default", "bob")
NOBODYS = Owned("task", "t3", "default", "")


def test_each_action_says_which_role_it_needs():
    assert set(NEEDS) == set(Action)


def test_each_role_may_do_what_those_before_it_may():
    roles = list(Role)
    for action in Action:
        allowed = [may(role, action) for role in roles]
        assert allowed == sorted(allowed)
        assert may(Role.ADMIN, action)


@pytest.mark.parametrize("action", [one for one in Action if NEEDS[one] is not None])
@pytest.mark.parametrize("role", Role)
def test_a_refusal_names_action_and_role(role, action):
    if may(role, action):
        authorize(somebody(role), action)
        return
    with pytest.raises(
        Forbidden, match=f"^{action}: this needs the role {NEEDS[action]}, and ann is a {role}"
    ):
        authorize(somebody(role), action)


@pytest.mark.parametrize("thing", [BOBS, NOBODYS])
def test_a_submitter_changes_only_what_it_created(thing):
    submitter = somebody(Role.SUBMITTER)
    authorize(submitter, Action.CHANGE, ANNS)
    authorize(submitter, Action.READ, thing)
    with pytest.raises(
        Forbidden, match=f"^change: task {thing.id} was created by .* needs the role operator"
    ):
        authorize(submitter, Action.CHANGE, thing)


def test_somebody_without_a_name_owns_nothing():
    with pytest.raises(Forbidden):
        authorize(somebody(Role.SUBMITTER, name=""), Action.CHANGE, NOBODYS)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
def test_operators_change_what_others_created(role):
    authorize(somebody(role), Action.CHANGE, BOBS)


@pytest.mark.parametrize("action", [one for one in Action if one is not Action.OPEN])
@pytest.mark.parametrize("role", Role)
def test_what_is_in_a_namespace_of_others_does_not_exist(role, action):
    outside = somebody(role, namespaces=frozenset({"theirs"}))
    with pytest.raises(NotFound, match=r"^not found: there is no task t1$"):
        authorize(outside, action, ANNS)
    authorize(somebody(Role.ADMIN, namespaces=frozenset({"default"})), action, ANNS)


def test_everybody_is_an_admin_where_nobody_is_asked():
    for action in Action:
        authorize(LOCAL, action, BOBS)
