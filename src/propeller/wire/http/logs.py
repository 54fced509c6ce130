"""The JSON of the HTTP API for logs; all of it is an extension of the contract."""

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.fleet.fields import LogStream
from propeller.wire.http.schema import Time


class LogView(msgspec.Struct, kw_only=True):
    """A piece of a guest's logs; it may begin and end within a line."""

    #: Grows with the order of arrival.
    id: int
    attempt: int
    proplet_id: str
    stream: LogStream
    #: How many bytes of this stream of this attempt came before.
    offset: int
    time: Time
    text: str
    #: True if the stream has reached its limit: the rest was dropped.
    cut: bool | UnsetType = UNSET


class LogPage(msgspec.Struct, kw_only=True):
    """In order of arrival."""

    total: int
    logs: list[LogView]


class LogEnd(msgspec.Struct, kw_only=True):
    """The last event of a stream of logs: the task has ended."""

    task_id: str
    state: int
