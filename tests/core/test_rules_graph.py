"""What ``depends_on`` may say, and the contract's words for what it may not."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.core.graph import resolve_dependencies
from propeller.errors import Invalid
from tests.core.helpers import a_task


def refused(*specs, existing=()) -> str:
    with pytest.raises(Invalid) as refusal:
        resolve_dependencies(specs, existing)
    return str(refusal.value)


def parents(*specs, existing=()) -> dict[str, tuple[str, ...]]:
    return {spec.id: spec.depends_on for spec in resolve_dependencies(specs, existing)}


def test_an_unknown_dependency():
    assert refused(a_task("b", "zzz")) == (
        "dependency validation failed: dependency task not found: task b depends on zzz which does not exist"
    )


def test_a_task_that_depends_on_itself():
    assert refused(a_task("a", "a")) == (
        "DAG validation failed: circular dependency detected: task a depends on itself"
    )


def test_two_tasks_that_depend_on_each_other():
    assert refused(a_task("a", "b"), a_task("b", "a")) == (
        "DAG validation failed: circular dependency detected: cycle detected involving tasks a and b"
    )


def test_a_longer_cycle_is_named_in_order():
    assert refused(a_task("x"), a_task("a", "c", "x"), a_task("b", "a"), a_task("c", "b")) == (
        "DAG validation failed: circular dependency detected: cycle detected involving tasks a and c "
        "(each depends on the next: a, c, b, a)"
    )


def test_a_cycle_of_twenty_thousand_is_found_without_recursion_and_named_in_short():
    size = 20_000
    specs = [a_task(f"t{number}", f"t{(number + 1) % size}") for number in range(size)]
    assert refused(*specs).endswith(
        "(each depends on the next: t0, t1, t2, t3, t4, t5, …, t19995, t19996, t19997, t19998, t19999, t0)"
    )


def test_a_dependency_by_name_becomes_an_id():
    assert parents(a_task("1", name="load"), a_task("2", "load", name="sum")) == {"1": (), "2": ("1",)}


def test_an_id_goes_before_a_name():
    assert parents(a_task("b", name="a"), a_task("a", name="x"), a_task("c", "a"))["c"] == ("a",)


def test_a_name_that_two_tasks_have_says_too_little():
    assert refused(a_task("1", name="load"), a_task("2", name="load"), a_task("3", "load")) == (
        "dependency validation failed: depends_on of task 3 names load, but 2 tasks have that name: use the id of one"
    )


def test_a_dependency_that_is_named_twice_counts_once():
    assert parents(a_task("1", name="load"), a_task("2", "load", "1", "1"))["2"] == ("1",)


def test_new_tasks_may_depend_on_those_that_are_there():
    assert parents(a_task("2", "1"), existing=[a_task("1")]) == {"2": ("1",)}


# -- properties ----------------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    """Tasks by number, with any edges between them; most drawings have cycles."""
    size = draw(st.integers(1, 9))
    edges = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=14))
    return size, edges


def specs_of(size, edges):
    return [
        a_task(str(child), *(str(parent) for one, parent in sorted(edges) if one == child))
        for child in range(size)
    ]


def has_cycle(size, edges) -> bool:
    """Take away tasks without parents until none is left, or none can be taken."""
    left = set(range(size))
    while free := {
        task for task in left if not any(child == task and parent in left for child, parent in edges)
    }:
        left -= free
    return bool(left)


@given(graphs())
def test_exactly_the_graphs_with_cycles_are_refused(graph):
    size, edges = graph
    try:
        resolve_dependencies(specs_of(size, edges))
        is_accepted = True
    except Invalid:
        is_accepted = False
    assert is_accepted is not has_cycle(size, edges)


@given(graphs())
def test_a_refusal_names_a_cycle_that_is_there(graph):
    size, edges = graph
    try:
        resolve_dependencies(specs_of(size, edges))
    except Invalid as refusal:
        text = str(refusal)
        if text.endswith("depends on itself"):
            cycle = [text.split()[-4]] * 2
        elif "next: " in text:
            cycle = text.split("next: ")[1].rstrip(")").split(", ")
        else:
            one, _, two = text.split()[-3:]
            cycle = [one, two, one]
        assert all((int(child), int(parent)) in edges for child, parent in pairwise(cycle))


@given(graphs(), st.randoms())
def test_the_order_of_the_tasks_does_not_matter(graph, random):
    size, edges = graph
    acyclic = {(max(pair), min(pair)) for pair in edges if pair[0] != pair[1]}
    specs = specs_of(size, acyclic)
    shuffled = random.sample(specs, size)
    assert parents(*shuffled) == parents(*specs)
