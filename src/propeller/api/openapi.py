"""The OpenAPI document, made from the declarations of the endpoints and the shapes in ``wire.http``."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec

from propeller import __version__
from propeller.access.roles import Action
from propeller.api import examples
from propeller.api.endpoints import AnyModule, Binary, Endpoint, EventText
from propeller.api.queries import REPLAYED, Query
from propeller.wire.http.errors import ErrorView
from propeller.wire.http.tasks import SIGNATURE_CHARS_MAX, Id

_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
#: Where the answer has the id of what was created, by the path of what creates it.
_ID_IN_ANSWER = {"/tasks": "id", "/workflows": "tasks/0/workflow_id", "/jobs": "job_id"}
#: Ends of paths that a task has once it has a module, which it may get later.
_NEEDS_MODULE = ("/file", "/module")
_PROBLEMS = {
    400: "The request is wrong in itself.",
    401: "Nobody knows who sends it: it has no credentials, or they are wrong, expired or revoked.",
    403: "The role of who sends it does not allow it. Or a page of another site sent "
    "it, or it asks by a name that this manager does not answer to.",
    404: "The task, workflow, job, proplet or path does not exist.",
    408: "The headers or the body took too long to arrive; send them without pauses.",
    409: "The present state does not allow the request.",
    413: "The body is larger than 100 MiB, or larger than 16 MiB or 300,000 values besides modules, "
    "or a module in it takes too much memory.",
    422: "Its Idempotency-Key stands for another request, of less than a day ago.",
    429: "This client has too many requests under way, or has sent bad credentials too often; try again "
    "after Retry-After.",
    431: "The headers are larger than 64 KiB.",
    502: "The guest failed; or the manager that leads went away, and whether it did this is not known.",
    503: "The store can't be read or written, no manager leads, no proplet that is alive has the task, or "
    "there is too much to do: too many requests, connections, large requests, invocations or inspections at "
    "once; try again after Retry-After, which all of these have but the answer of GET /ready.",
    504: "It took too long.",
}


def document(endpoints: Iterable[Endpoint], also: Sequence[type]) -> dict[str, Any]:
    """Build the document.

    Args:
        endpoints: All endpoints to describe.
        also: Shapes to describe that no endpoint names.

    """
    endpoints = list(endpoints)
    named = {
        shape
        for each in endpoints
        for one in (each.takes, each.gives, *each.also.values())
        for shape in _alternatives(one)
    }
    shapes = [ErrorView, *also, *(shape for shape in named if _is_json(shape))]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    for shape, field in (("NewTask", "name"), ("NewWorkflow", "tasks"), ("NewJob", "tasks")):
        components[shape]["required"] = [field]
        del components[shape]["properties"][field]["default"]
    components |= _take_out_choices(components)
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        operation = paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
        if each.method == "POST" and each.path in _ID_IN_ANSWER:
            operation["responses"][str(each.status)]["links"] = _links(each, endpoints)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Propeller manager",
            "version": __version__,
            "description": "Runs WebAssembly tasks, alone, in workflows and in jobs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that an admin has created, as in prp_ID_SECRET.",
                }
            },
        },
    }


def _take_out_choices(components: dict[str, Any]) -> dict[str, Any]:
    """Put references in the place of inner schemas that deserve a name, and return those schemas by name.

    They are enums, and what has a title of its own. Of inner schemas, generators of clients make a type for
    each place where one stands, with a name that they make up.
    """
    found: dict[str, Any] = {}

    def taken_out(schema: Any, place: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        inner = {
            name: taken_out(schema[name], place)
            for name in ("items", "additionalProperties")
            if name in schema
        }
        if "anyOf" in schema:
            inner["anyOf"] = [taken_out(each, place) for each in schema["anyOf"]]
        schema = {**schema, **inner}
        if "enum" not in schema and "title" not in schema:
            return schema
        name = schema.setdefault("title", place)
        beside = {"default": schema.pop("default")} if "default" in schema else {}
        assert found.setdefault(name, schema) == schema, f"{name} is two things"
        return {"$ref": _REF.format(name=name), **beside}

    for shape, schema in components.items():
        for field, each in schema.get("properties", {}).items():
            place = shape + field.title().replace("_", "")
            schema["properties"][field] = taken_out(each, place)
    return found


def _is_json(shape: Any) -> bool:
    return shape not in (None, AnyModule, Binary, EventText)


def _operation(each: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.path.split("/")[1]],
        "summary": each.summary,
        "parameters": [_path_parameter(found) for found in _PATH_PARAMETER.findall(each.path)]
        + [_query_parameter(query) for query in each.query],
    }
    if each.takes is not None:
        operation["requestBody"] = {
            "required": each.needs_body,
            "content": _request_content(each.takes),
        }
    if each.action is not Action.OPEN:
        operation["security"] = [{"token": []}, {}]  # a manager may ask nobody who they are
    operation["responses"] = {str(each.status): _answer(each)} | {
        str(status): _problem(status, each.also.get(status)) for status in each.refuses
    }
    return operation


def _links(creating: Endpoint, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Say what can be done with what an endpoint creates."""
    of_created = {"id": f"$response.body#/{_ID_IN_ANSWER[creating.path]}"}
    return {
        each.name: {"operationId": each.name, "parameters": of_created}
        for each in endpoints
        if each.path.startswith(f"{creating.path}/{{id}}") and not each.path.endswith(_NEEDS_MODULE)
    }


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


_SIGNATURE = {
    "type": "string",
    "maxLength": SIGNATURE_CHARS_MAX,
    "description": "The text of its signature, if it has one.",
}


def _request_content(shape: type) -> dict[str, Any]:
    if shape in (AnyModule, Binary):
        file = {"type": "string", "format": "binary", "contentMediaType": "application/wasm"}
        form: dict[str, Any] = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        if shape is AnyModule:
            # Text may come as such too; generators of clients do not know that, and leave the endpoint out.
            return {"application/wasm": {"schema": file}, "multipart/form-data": {"schema": form}}
        file["description"] = "The module, as a file whose name ends in .wasm, or in .wat if it is text."
        form["properties"]["signature"] = _SIGNATURE
        return {"multipart/form-data": {"schema": form}}
    return {"application/json": {"schema": _ref(shape), "example": examples.OF_REQUESTS[shape]}}


def _answer(each: Endpoint) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "Done."}
    if each.gives is Binary:
        response["content"] = {"application/wasm": {"schema": {"type": "string", "format": "binary"}}}
    elif each.gives is EventText:
        response["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif each.gives is not None:
        response["content"] = {"application/json": {"schema": _ref(each.gives)}}
        if each.gives in examples.OF_ANSWERS:
            response["content"]["application/json"]["example"] = examples.OF_ANSWERS[each.gives]
    if each.may_stream:
        response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    if each.may_be_bytes:
        response["content"]["application/octet-stream"] = {}
    headers: dict[str, Any] = {}
    if each.has_location:
        headers["Location"] = {"required": True, "schema": {"type": "string"}}
    if each.takes_key:
        headers[REPLAYED] = {
            "description": "The request was carried out before, and this is its answer.",
            "schema": {"type": "string", "const": "true"},
        }
    if headers:
        response["headers"] = headers
    return response


def _problem(status: int, also: Any) -> dict[str, Any]:
    shape = ErrorView if also is None else ErrorView | also
    content: dict[str, Any] = {"application/json": {"schema": _ref(shape)}}
    if also is None:
        content["application/json"]["example"] = examples.ERROR
    if status == 404:  # a path that no route has, such as one with a slash inside an id
        content["text/plain"] = {"schema": {"type": "string"}}
    problem: dict[str, Any] = {"description": _PROBLEMS[status], "content": content}
    if status in (429, 503):
        problem["headers"] = {
            "Retry-After": {
                "description": "After how many seconds there should be room.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return problem


def _alternatives(shape: Any) -> tuple[Any, ...]:
    return get_args(shape) or (shape,)


def _ref(shape: Any) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=one.__name__)} for one in _alternatives(shape)]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}
