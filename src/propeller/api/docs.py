"""``/openapi.json``, the same as a page at ``/docs``, and ``/``; the pages load nothing from other sites."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.context import HttpRequest
from propeller.api.endpoints import Endpoint, get
from propeller.api.page import to_page

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}details{border:1px solid #d0d7de;border-radius:6px;
margin:.5rem 0}summary{padding:.5rem .8rem;cursor:pointer}details>div{padding:0 .8rem .6rem}
code{font:13px ui-monospace,monospace}.m{display:inline-block;width:4.2rem;font-weight:700}
.get{color:#0969da}.post{color:#1a7f37}.put{color:#9a6700}.delete{color:#cf222e}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #d8dee4;padding:.3rem .5rem;
text-align:left;vertical-align:top}.q{color:#59636e}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}a{color:#58a6ff}
details,h2,td,th{border-color:#30363d}.q{color:#9198a1}}
"""


def endpoints(document: Mapping[str, Any], *, has_page: bool) -> list[Endpoint]:
    """Make the endpoints that show a document; ``/`` leads browsers to the page, if there is one."""
    as_json = msgspec.json.format(msgspec.json.encode(document), indent=1)
    as_page = page(document).encode()
    as_start = start_page(document, has_page=has_page).encode()

    async def get_start(_request: HttpRequest) -> ASGIApp:
        return Response(as_start, headers={"vary": "accept"}, media_type="text/html")

    @get("/openapi.json", action=Action.OPEN, anywhere=True)
    async def get_openapi(_request: HttpRequest) -> ASGIApp:
        return Response(as_json, media_type="application/json")

    @get("/docs", action=Action.OPEN, anywhere=True)
    async def get_docs(_request: HttpRequest) -> ASGIApp:
        return Response(as_page, media_type="text/html")

    start = get("/", action=Action.OPEN, anywhere=True)(to_page(get_start) if has_page else get_start)
    return [start, get_openapi, get_docs]


#: Where to go from the first page: what is there, and what it is.
_PLACES = (
    ("/docs", "what this API offers, to read"),
    ("/openapi.json", "the same for programs"),
    ("/health", "whether it lives"),
    ("/ready", "whether it can have tasks run"),
    ("/proplets", "the processes that run Wasm"),
    ("/tasks?order=newest&file=false", "tasks, the newest first"),
    ("/workflows", "workflows, the newest first"),
    ("/jobs?tasks=false", "jobs, the newest first"),
)


def start_page(document: Mapping[str, Any], *, has_page: bool) -> str:
    """Say what answers here, and where to go."""
    places = (("/ui/", "a page that shows what runs"), *_PLACES) if has_page else _PLACES
    rows = "".join(
        f"<tr><td><a href='{escape(path)}'><code>{escape(path.partition('?')[0])}</code></a>"
        f"<td class=q>{escape(what)}"
        for path, what in places
    )
    return (
        f"{_head(document)}<p>{escape(document['info']['description'])} "
        "It is an API: programs talk to it, and on the command line</p>"
        "<pre><code>propeller run FILE.wasm\npropeller workflows run FILE.yaml\npropeller --help</code></pre>"
        f"<table>{rows}</table>"
    )


def _head(document: Mapping[str, Any]) -> str:
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
    )


def page(document: Mapping[str, Any]) -> str:
    """Render the OpenAPI document as HTML."""
    head = (
        f"{_head(document)}<p>{escape(document['info']['description'])} The same for programs: "
        "<a href=/openapi.json>openapi.json</a>.</p>"
    )
    parts = [head]
    seen = ""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            (tag,) = operation["tags"]
            if tag != seen:
                parts.append(f"<h2>{escape(tag)}</h2>")
                seen = tag
            parts.append(_operation(method, path, operation))
    parts.append("<h2>Shapes</h2>")
    parts += [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = [
        (name["name"], f"in the {name['in']}", _type(name["schema"]), name.get("description", ""))
        for name in operation["parameters"]
    ]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [("body", escape(kind), _type(given["schema"]), "") for kind, given in body.items()]
    for status, response in operation["responses"].items():
        shown = " ".join(
            f"{escape(kind)} {_type(given['schema']) if given else ''}"
            for kind, given in response.get("content", {}).items()
        )
        rows.append((status, "answer", shown, response["description"]))
    return (
        f"<details><summary><span class='m {method}'>{method.upper()}</span> <code>{escape(path)}</code> "
        f"<span class=q>{escape(operation['summary'])}</span></summary><div>{_table(rows)}</div></details>"
    )


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (field, "required" if field in required else "", _type(given), _description(given))
        for field, given in schema.get("properties", {}).items()
    ] or [("value", "", _type(schema), "")]
    text = escape(schema.get("description", "").replace("``", ""))
    return (
        f"<details id='{escape(name)}'><summary><code>{escape(name)}</code> <span class=q>{text}</span>"
        f"</summary><div>{_table(rows)}</div></details>"
    )


def _table(rows: Sequence[tuple[str, str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code><td class=q>{note}<td>{shown}<td class=q>{escape(text)}"
        for name, note, shown, text in rows
    )
    return f"<table>{cells}</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """Render a schema in a few words, with links to shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"<a href='#{escape(name)}'>{escape(name)}</a>"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = [str(schema.get("type", "any"))]
    limits = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format", "default")
    words += [f"{word} {schema[word]}" for word in limits if schema.get(word) is not None]
    return escape(", ".join(words))


def _description(schema: Mapping[str, Any]) -> str:
    found = [schema, *schema.get("anyOf", ())]
    return next((str(part["description"]) for part in found if "description" in part), "")
