"""The messages between manager and proplets, as ``mqtt`` in the contract has them, and their topics.

Whatever carries them, a message is a topic and a JSON object. Fields and topics that the contract lacks are
marked *extension*; others ignore them. A proplet that shows a ``boot`` is native: it knows them, and listens
on the topics below ``proplet/<its id>/`` besides the shared ones. To a native manager it speaks on those
below ``from/<its id>/``: who it is stands in the topic, which the broker holds it to.
"""

from propeller.wire.fleet.fields import PROPLET_ID_MAX
from propeller.wire.fleet.from_manager import Ack, Announcement, Hello, Invoke, Start, Stop
from propeller.wire.fleet.from_proplet import (
    Alive,
    Compiling,
    Create,
    HandBack,
    InvokeResults,
    Join,
    Logs,
    Results,
    Up,
)
from propeller.wire.fleet.metrics import Metrics, TaskMetrics
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest

#: What proplets say; each says who it is.
PropletMessage = (
    Create
    | Alive
    | Results
    | Compiling
    | HandBack
    | Up
    | InvokeResults
    | Logs
    | Join
    | ModuleRequest
    | Metrics
    | TaskMetrics
)
Message = PropletMessage | Announcement | Start | Stop | Hello | Ack | Invoke | ModuleChunk
TOPICS: dict[str, type[Message]] = {
    "control/manager/announcement": Announcement,
    "control/manager/start": Start,
    "control/manager/stop": Stop,
    "control/manager/hello": Hello,
    "control/manager/ack": Ack,
    "control/proplet/create": Create,
    "control/proplet/alive": Alive,
    "control/proplet/join": Join,
    "control/proplet/results": Results,
    "control/proplet/compiling": Compiling,
    "control/proplet/handback": HandBack,
    "control/proplet/up": Up,
    "control/manager/invoke": Invoke,
    "control/proplet/invoke_results": InvokeResults,
    "control/proplet/logs": Logs,
    "control/proplet/metrics": Metrics,
    "control/proplet/task_metrics": TaskMetrics,
    "registry/proplet": ModuleRequest,
    "registry/server": ModuleChunk,
}
ANNOUNCEMENT_TOPIC = "control/manager/announcement"
#: Extension: where a proplet asks the manager for a module; the contract's topic is the proxy's.
MODULE_TOPIC = "control/proplet/module"
_TOPIC_OF: dict[type[Message], str] = {kind: topic for topic, kind in TOPICS.items()}


def topic_of(message: Message) -> str:
    return _TOPIC_OF[type(message)]


def own_topic(proplet_id: str, topic: str) -> str:
    """Name the topic on which only this native proplet gets such messages."""
    return f"proplet/{proplet_id}/{topic}"


def said_topic(proplet_id: str, topic: str) -> str:
    """Name the topic on which only this native proplet sends such messages."""
    return f"from/{proplet_id}/{topic}"


def speaker(topic: str) -> tuple[str, str]:
    """Give the proplet that alone may send on a topic, ``""`` for any, and the topic of the contract."""
    head, _, rest = topic.partition("/")
    proplet_id, slash, said = rest.partition("/")
    is_own = head == "from" and slash and 0 < len(proplet_id) <= PROPLET_ID_MAX
    return (proplet_id, said) if is_own else ("", topic)
