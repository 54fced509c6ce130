"""A refusal in the JSON of the HTTP API."""

import msgspec


class ErrorView(msgspec.Struct):
    """What was wrong, and what to do."""

    error: str
