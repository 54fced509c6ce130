"""Whether it is known how guests are run, wherever a task is placed."""

import msgspec

from propeller.core.model import Proplet
from propeller.core.placement import Placement
from propeller.core.sandbox import Offer


def offering(**offer):
    return {"offers": msgspec.to_builtins(Offer(**offer))}


def test_one_proplet_that_runs_guests_otherwise_is_enough_to_know_no_more():
    placement = Placement()
    assert not placement.knows_runtime
    own, other = (Proplet(id=id_, name=id_, metadata=offering()) for id_ in "ab")
    for proplet in (own, other):
        placement.proplets[proplet.id] = proplet
        placement.changed(proplet)
    assert placement.knows_runtime
    for metadata in ({}, offering(is_external=True)):
        other.metadata = metadata
        placement.changed(other)
        assert not placement.knows_runtime
        other.metadata = offering()
        placement.changed(other)
        assert placement.knows_runtime
    other.metadata = {}
    placement.changed(other)
    del placement.proplets[other.id]
    placement.changed(other)
    assert placement.knows_runtime


def test_to_ask_looks_at_no_proplet(monkeypatch):
    placement = Placement()
    placement.proplets["a"] = Proplet(id="a", name="a", metadata=offering())
    placement.changed(placement.proplets["a"])
    monkeypatch.setattr(Proplet, "offer", property(lambda _: 1 / 0))
    assert placement.knows_runtime
