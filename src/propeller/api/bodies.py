"""Request bodies: JSON of a given shape, and uploaded files. Both are read only up to the limit."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from starlette.requests import ClientDisconnect

from propeller.api.context import HttpRequest, context_of
from propeller.api.lifting import Lifted, lift
from propeller.errors import Invalid, TooLarge
from propeller.wire.validation import OTHER_INPUTS, input_of, problem_of

BODY_BYTES_MAX = 100 * 1024 * 1024
#: Limits of a JSON body besides modules, which are decoded in pieces; values are commas, lists and objects.
JSON_BYTES_MAX = 16 * 1024 * 1024
VALUES_MAX = 300_000
#: Bytes that are scanned in one step; other threads get their turn between steps.
_STEP = 1 << 20
#: A body up to this size is decoded on the event loop, a larger one beside it.
_SMALL_BYTES = 64 * 1024
#: The parts of a form that are read.
_PARTS = ("file", "signature")
WASM_MAGIC = b"\x00asm"

T = TypeVar("T")
R = TypeVar("R")

_HALF_OF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_NAMED_TYPE = re.compile(r"`([^`]*)`")


async def read_json(request: HttpRequest, shape: type[T], take: Callable[[T, Lifted], R]) -> R:
    """Read a JSON body of the given shape, and return what ``take`` makes of it; unknown fields are refused.

    Large bodies are read beside the loop, one after another, so that other requests are answered meanwhile.

    Args:
        request: The request, its body not read yet.
        shape: The type of the body.
        take: Turns the body into the result, without waiting; it also gets the modules that were taken out.

    Raises:
        Invalid: The body is not JSON, or a field has the wrong type; the message names the field.
        TooLarge: The body is larger than the limit.

    """
    found = await read_json_or_nothing(request, shape, take)
    if found is None:
        _check_is_json(request)
        raise Invalid("body: it is empty (EOF); send a JSON object")
    return found


async def read_json_or_nothing(
    request: HttpRequest, shape: type[T], take: Callable[[T, Lifted], R]
) -> R | None:
    """Read a JSON body of the given shape, as ``read_json`` does; None if the body is empty."""
    chunks = [chunk async for chunk in read_chunks(request)]
    if not any(chunk.strip() for chunk in chunks):
        return None
    _check_is_json(request)
    if sum(map(len, chunks)) <= _SMALL_BYTES:
        return take(_decoded(b"".join(chunks), shape), Lifted())
    return await _aside(request, _taken_in, chunks, shape, take)


async def _aside(request: HttpRequest, function: Callable[..., R], *arguments: Any) -> R:
    """Run a function beside the loop, when its turn comes."""
    return await asyncio.get_running_loop().run_in_executor(context_of(request).aside, function, *arguments)


def _taken_in(chunks: list[bytes], shape: type[T], take: Callable[[T, Lifted], R]) -> R:
    body = b"".join(chunks)
    chunks.clear()
    rest, lifted = lift(body)
    _check_extent(rest)
    found = take(_decoded(rest, shape), lifted)
    if not lifted.is_used_up:
        _check_extent(body)
        return take(_decoded(body, shape), Lifted())
    return found


def _check_extent(rest: bytes) -> None:
    """Raise ``TooLarge`` for a body that would keep the decoder busy for too long."""
    if len(rest) > JSON_BYTES_MAX:
        raise TooLarge(
            f"body: it has {len(rest)} bytes besides modules; send at most {JSON_BYTES_MAX} in a request"
        )
    if _marks_in(rest) > VALUES_MAX and (values := values_in(rest)) > VALUES_MAX:
        raise TooLarge(f"body: it has about {values} values; send at most {VALUES_MAX} in a request")


def values_in(body: bytes) -> int:
    """Count the commas, lists and objects of a JSON body, without those inside of texts."""
    # Each remaining quote begins or ends a text.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    values = is_inside = 0
    for start in range(0, len(plain), _STEP):
        pieces = plain[start : start + _STEP].split(b'"')
        values += _marks_in(b" ".join(pieces[is_inside::2]))
        is_inside ^= (len(pieces) - 1) % 2
    return values


def _marks_in(text: bytes) -> int:
    return sum(text.count(mark) for mark in (b",", b"[", b"{"))


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Invalid(_explain(error, shape)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "; \\ud800 to \\udfff come in pairs only" if _HALF_OF_PAIR.search(body) else ""
        raise Invalid(f"body: not valid JSON: {error}{hint}") from error
    except RecursionError as error:
        raise Invalid("body: it is nested too deeply; flatten it") from error


def _check_is_json(request: HttpRequest) -> None:
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind != "application/json":
        raise Invalid("unsupported content type; send JSON with the header Content-Type: application/json")


def _explain(error: msgspec.ValidationError, shape: Any) -> str:
    """Word an error of the decoder for users of the API, who know no types of Python."""
    where, message, is_unknown = problem_of(error, shape)
    if at := input_of(where):
        return f"{at}: expected string or number; {OTHER_INPUTS}"
    if is_unknown:
        return f"{where}: {message}"
    message = _NAMED_TYPE.sub(lambda name: " or ".join(map(_word, name[1].split(" | "))), message)
    return f"{where or 'body'}: {message[:1].lower()}{message[1:]}"


def _word(name: str) -> str:
    return _WORDS.get(name, name)


class Upload(NamedTuple):
    data: bytes
    #: True if it is a module as text, by its name and by its content.
    is_text: bool
    #: The text of the part ``signature``; None if there is none.
    signature: str | None = None


async def read_upload(request: HttpRequest) -> Upload:
    """Read the parts ``file`` and ``signature`` of a multipart form.

    The first must be a module by name, and a Wasm one by content.
    """
    if not _is_form(request):
        raise Invalid(
            "request Content-Type isn't multipart/form-data; send a form with the module in the part file"
        )
    name, data, signature = await _read_form(request)
    if not name.endswith((".wasm", ".wat")):
        raise Invalid(
            "file: invalid file extension; the name of the uploaded file must end in .wasm, or in .wat for "
            "text"
        )
    is_text = name.endswith(".wat") and not data.startswith(WASM_MAGIC)
    if not is_text:
        check_module(data, "file")
    return Upload(data, is_text, signature)


async def read_module(request: HttpRequest) -> bytes:
    """Read a module, of which nothing is known yet: the part ``file`` of a form, or the body itself."""
    if _is_form(request):
        return (await _read_form(request))[1]
    return await _joined(request, [chunk async for chunk in read_chunks(request)])


def _is_form(request: HttpRequest) -> bool:
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    return bool(kind == "multipart/form-data")


async def _joined(request: HttpRequest, pieces: list[bytes]) -> bytes:
    is_small = sum(map(len, pieces)) <= _SMALL_BYTES
    return b"".join(pieces) if is_small else await _aside(request, b"".join, pieces)


async def _read_form(request: HttpRequest) -> tuple[str, bytes, str | None]:
    """Read a multipart form: give the name of the part ``file``, its content, and the part ``signature``."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    parts: dict[str, tuple[MultipartSegment, list[bytes]]] = {}
    pieces: list[bytes] | None = None
    try:
        with PushMultipartParser(options.get("boundary", ""), max_segment_count=1000) as parser:
            async for chunk in read_chunks(request):
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        is_new = event.name in _PARTS and event.name not in parts
                        pieces = parts.setdefault(event.name, (event, []))[1] if is_new else None
                    elif event and pieces is not None:
                        pieces.append(bytes(event))
    except MultipartError as error:
        raise Invalid(f"body: not a valid multipart form: {error}") from error
    if "file" not in parts:
        raise Invalid("file: http: no such file; send the module as the part named file")
    segment, pieces = parts["file"]
    signature = parts.get("signature")
    return (
        segment.filename or "",
        await _joined(request, pieces),
        None if signature is None else b"".join(signature[1]).decode(errors="replace"),
    )


def check_module(data: bytes, where: str) -> None:
    if data[:4] != WASM_MAGIC:
        raise Invalid(f"{where}: invalid WASM file: missing magic bytes; send a compiled module")


async def read_chunks(request: HttpRequest) -> AsyncIterator[bytes]:
    """Read a body as it comes.

    Raises:
        Invalid: The connection was closed before all of it had come.
        TooLarge: It is larger than the limit.

    """
    _check_size(int(request.headers.get("content-length", 0)))
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            _check_size(size)
            yield chunk
    except ClientDisconnect as error:
        raise Invalid("body: the connection was closed before all of it had arrived") from error


def _check_size(count: int) -> None:
    if count > BODY_BYTES_MAX:
        raise TooLarge(f"body: http: request body too large; the limit is {BODY_BYTES_MAX} bytes")
