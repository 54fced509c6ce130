"""The one place that says which part of the manager takes in which message of a proplet."""

from propeller.manager.service import Manager
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_proplet import Alive, InvokeResults, Logs
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.metrics import Metrics, TaskMetrics


def dispatch(manager: Manager, message: Message, *, is_local: bool) -> None:
    """Hand a message to the part that it is for; requests for modules are the fleet's to answer."""
    match message:
        case Metrics() | TaskMetrics():
            manager.samples.take(message)
        case InvokeResults():
            manager.invocations.take(message)
        case Logs():
            manager.logs.take(message)
        case _:
            if isinstance(message, Alive):
                manager.invocations.heard(message)
            fact = fact_of(message, is_local=is_local)
            if fact is not None:
                manager.tell(fact)
