"""The OpenAPI document, from what each handler declares with ``doc`` and from the shapes in ``wire.http``."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler

from propeller import __version__
from propeller.api.queries import Query
from propeller.wire.http.errors import ErrorView
from propeller.wire.http.tasks import Id

_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+):str\}")
#: What may become of any request, whoever handles it.
_ALWAYS = (403, 408, 431, 503)
_PROBLEMS = {
    400: "The request is wrong in itself.",
    403: "A page of another site sent it, or it asks by a name that this manager does not answer to.",
    404: "What the request names does not exist.",
    408: "The headers or the body took too long to arrive; send them without pauses.",
    409: "It does not fit the present state.",
    413: "The body is larger than 100 MiB, or larger than 16 MiB or 300,000 values besides modules.",
    431: "The headers are larger than 64 KiB.",
    502: "The guest failed.",
    503: "The store can't be read or written, no proplet that is alive has the task, or there are too many "
    "connections, large requests or invocations at once; try again later.",
    504: "It took too long.",
}


class Binary:
    """A Wasm module as bytes: the part ``file`` of a form in a request, the body itself in an answer."""


class EventText:
    """Server-sent events; the data of each is an ``EventView``."""


class Doc(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler takes and gives."""

    takes: type | None
    gives: Any
    status: int
    query: tuple[Query, ...]
    refuses: tuple[int, ...]
    has_location: bool
    needs_body: bool
    may_stream: bool


def doc(
    *,
    gives: Any = None,
    takes: type | None = None,
    status: int = 200,
    query: Sequence[Query] = (),
    refuses: Sequence[int] = (),
    has_location: bool = False,
    needs_body: bool = True,
    may_stream: bool = False,
) -> dict[str, Any]:
    """Declare, as ``opt`` of a handler, what it takes and gives; its docstring says what it does.

    Args:
        gives: Shape of the answer, or several; None for an answer without a body.
        takes: Shape of the body of the request.
        status: Status of the answer.
        query: Query parameters.
        refuses: Statuses of errors, besides those that follow from the rest.
        needs_body: Whether a request without a body is wrong, where it may have one.
        has_location: Whether the answer says with ``Location`` where to find what it created.
        may_stream: Whether the answer is a stream of events where that is asked for.

    """
    wrong = {400} if takes or query else set()
    return {
        "doc": Doc(
            takes=takes,
            gives=gives,
            status=status,
            query=tuple(query),
            refuses=tuple(sorted({*refuses, *wrong, *({413} if takes else ()), *_ALWAYS})),
            has_location=has_location,
            needs_body=needs_body,
            may_stream=may_stream,
        )
    }


def document(handlers: Iterable[HTTPRouteHandler], also: Sequence[type]) -> dict[str, Any]:
    """Build the document.

    Args:
        handlers: Each has a ``doc``.
        also: Shapes to describe that no handler names.

    """
    described = [(handler, handler.opt["doc"]) for handler in handlers]
    named = {
        shape for _, each in described for one in (each.takes, each.gives) for shape in _alternatives(one)
    }
    shapes = [ErrorView, *also, *(shape for shape in named if _is_json(shape))]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    components["NewTask"]["required"] = ["name"]
    components["NewWorkflow"]["required"] = components["NewJob"]["required"] = ["tasks"]
    paths: dict[str, dict[str, Any]] = {}
    for handler, each in described:
        (path,) = handler.paths
        operations = paths.setdefault(_PATH_PARAMETER.sub(r"{\1}", path), {})
        (method,) = handler.http_methods
        operations[method.lower()] = _operation(handler, each, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Propeller manager",
            "version": __version__,
            "description": "Runs WebAssembly tasks, alone, in workflows and in jobs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _is_json(shape: Any) -> bool:
    return shape not in (None, Binary, EventText)


def _operation(handler: HTTPRouteHandler, each: Doc, path: str) -> dict[str, Any]:
    name = handler.fn.__name__
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [path.split("/")[1]],
        "summary": (handler.fn.__doc__ or "").replace("``", ""),
        "parameters": [_path_parameter(found) for found in _PATH_PARAMETER.findall(path)]
        + [_query_parameter(query) for query in each.query],
    }
    if each.takes is not None:
        operation["requestBody"] = {
            "required": each.needs_body,
            "content": _request_content(each.takes),
        }
    operation["responses"] = {str(each.status): _answer(each)} | {
        str(status): _problem(status) for status in each.refuses
    }
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(Id)}


def _query_parameter(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "description": query.description,
        "schema": query.schema,
        **query.style,
    }


def _request_content(shape: type) -> dict[str, Any]:
    if shape is Binary:
        file = {"type": "string", "contentMediaType": "application/wasm"}
        form = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        return {"multipart/form-data": {"schema": form}}
    return {"application/json": {"schema": _ref(shape)}}


def _answer(each: Doc) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "Done."}
    if each.gives is Binary:
        response["content"] = {"application/wasm": {}}
    elif each.gives is EventText:
        response["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif each.gives is not None:
        response["content"] = {"application/json": {"schema": _ref(each.gives)}}
    if each.may_stream:
        response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    if each.has_location:
        response["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
    return response


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _ref(ErrorView)}}
    if status == 404:  # a path that no route has, such as one with a slash inside an id
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"description": _PROBLEMS[status], "content": content}


def _alternatives(shape: Any) -> tuple[Any, ...]:
    return get_args(shape) or (shape,)


def _ref(shape: Any) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=one.__name__)} for one in _alternatives(shape)]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}
