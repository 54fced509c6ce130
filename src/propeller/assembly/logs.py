"""Log formats: one JSON object a line for the programs of a fleet, text for a person."""

import logging
import sys
from typing import Any

import msgspec

from propeller.wire.rfc3339 import format_time

_encode = msgspec.json.Encoder().encode


class JsonLines(logging.Formatter):
    """``{"time":…,"level":"INFO","msg":…}``, with ``error`` where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": format_time(int(record.created * 1e9)),
            "level": record.levelname,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _encode(line).decode()


def log_as_json(level: str) -> None:
    """Write from this level on: debug, info, warn or error; ``trace`` is debug."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    name = {"trace": "DEBUG", "warn": "WARNING"}.get(level, level.upper())
    logging.basicConfig(level=name, handlers=[handler], force=True)
    # Libraries tell of their own work only from warnings on. For gmqtt, ``mqtt/link.py`` speaks.
    for library in ("asyncio", "httpx", "httpcore", "uvicorn"):
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLevelName(name)))


def log_as_text() -> None:
    """Write warnings for a person, on standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
