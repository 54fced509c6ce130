"""A refusal in the JSON of the HTTP API."""

import msgspec


class ErrorView(msgspec.Struct):
    """An error: what is wrong, and what to do."""

    error: str
