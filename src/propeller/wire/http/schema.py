"""Kinds of values that several shapes of the API share, with their schema."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from propeller.core.model import FromSecret
from propeller.core.results import BASE64
from propeller.core.states import TaskState

encode = msgspec.json.Encoder().encode


def like(description: str = "", **schema: Any) -> Meta:
    """Constraints that the schema shows and that ``api.spec_builder`` checks, in its own words.

    What has a ``title`` is a shape of its own in the document. ``x-enum-varnames`` are names for the values
    of an ``enum``, for generators of clients.
    """
    return Meta(description=description or None, extra_json_schema=schema or None)


class Page(msgspec.Struct, kw_only=True):
    """A part of a list; each kind of page has a field with the items."""

    offset: int
    limit: int
    total: int


Time = Annotated[str, like(format="date-time")]
State = Annotated[
    int,
    like(
        "0 pending, 1 scheduled, 2 running, 3 completed, 4 failed, 5 skipped, 6 interrupted",
        title="TaskState",
        enum=[int(state) for state in TaskState],
        **{"x-enum-varnames": [state.name for state in TaskState]},
    ),
]
ResultsEncoding = Annotated[
    str,
    like(
        "``base64`` where the texts of ``results`` are that, because they are no text.",
        title="ResultsEncoding",
        enum=[BASE64],
    ),
]
Env = Annotated[
    dict[str, str],
    like(
        "Variables by name; of an invocation, over those of its task.",
        title="Env",
        propertyNames={"minLength": 1, "pattern": r"^[^=\x00]+$"},
    ),
]
Variables = Annotated[
    dict[str, str | FromSecret],
    like(
        'Variables by name: text, or {"secret": "NAME"} for the value of a secret.',
        title="Variables",
        propertyNames={"minLength": 1, "pattern": r"^[^=\x00]+$"},
    ),
]
Metadata = Annotated[dict[str, Any], like("JSON values by key, for those who ask.", title="Metadata")]
