"""Kinds of values that several messages have."""

from typing import Annotated, Literal

from msgspec import Meta

#: What can stand in a topic, for it becomes part of one.
PROPLET_ID_MAX = 256
PropletId = Annotated[str, Meta(min_length=1, max_length=PROPLET_ID_MAX, pattern=r"^[^+#/\x00-\x1f]+$")]
Count = Annotated[int, Meta(ge=0, le=2**62)]
LogStream = Literal["stdout", "stderr"]
Slots = Annotated[int, Meta(ge=1, le=100_000)]
