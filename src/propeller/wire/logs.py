"""The JSON of what tasks print that is not their result."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.schema import State, Time, like


class LogView(msgspec.Struct, kw_only=True):
    """Something that a guest printed."""

    number: Annotated[int, like("Grows in the order of arrival.")]
    attempt: int
    proplet_id: str
    stream: Annotated[str, like(enum=["stdout", "stderr"])]
    offset: Annotated[int, like("Bytes of the stream before it.")]
    time: Time
    text: str
    cut: Annotated[bool, like("The stream's limit: the rest was dropped.")] | UnsetType = UNSET


class LogPage(msgspec.Struct, kw_only=True):
    total: int
    logs: list[LogView]


class LogEnd(msgspec.Struct):
    """The last event of those who follow: the task has ended."""

    state: State
