"""Makes the OpenAPI 3.1 document from the routes that serve and the types they name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from app import __version__
from handlers.base import BaseHandler, Route
from handlers.doors import SAFE_METHODS
from handlers.operation import ANYWHERE, Operation, operation_of
from handlers.problems import PROBLEMS, Problem

_PROBLEM_MEDIA_TYPE = "application/problem+json"
_SCHEMA_REFERENCE = "#/components/schemas/{name}"
_HEADERS = {
    "ETag": "The entity tag, for If-Match and If-None-Match.",
    "Link": 'Another address: of the next page as rel="next", of this document as "service-desc".',
    "Location": "The address of the todo.",
    "X-Request-Id": "The request's id, the client's if it sent one.",
    "Allow": "The methods of this address.",
    "Retry-After": "Seconds to wait before trying again.",
    "Accept-Post": "The media types that POST reads here.",
    "Accept-Patch": "The media types that PATCH reads here.",
    "Accept-Encoding": "The codings that are read; only where the body's was the reason.",
    "Vary": "The header field of the request that chose this answer.",
}
_TAG_LIST = {"type": "string", "pattern": r'^(\*|(W/)?"[^"]*"(, *(W/)?"[^"]*")*)$'}
_PROBLEM_HEADERS = {"405": "Allow", "412": "ETag", "503": "Retry-After"}


def build_document(routes: Sequence[Route]) -> bytes:
    """Return the OpenAPI document of these routes, as JSON."""
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Todos",
            "version": __version__,
            "description": "Todos: the first version (`/todo`) and the present one (`/v1`).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {route.template: _path_item(route) for route in routes},
        "components": {
            "schemas": _schemas(routes),
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in _HEADERS.items()
            },
        },
    }
    return msgspec.json.encode(document)


def operations(handler: type[BaseHandler]) -> Iterator[tuple[str, Operation]]:
    """Yield the methods a handler describes, HEAD among them, and their descriptions."""
    for method in handler.allowed_methods():
        described = operation_of(getattr(handler, "get" if method == "HEAD" else method.lower()))
        if described is not None:
            yield method, described


def _path_item(route: Route) -> dict[str, Any]:
    item: dict[str, Any] = {
        method.lower(): _operation(route, method, described)
        for method, described in operations(route.handler)
    }
    item["options"] = {
        "operationId": _operation_id("options", route.template),
        "summary": "Tell which methods and media types this address takes.",
        "responses": {
            "204": _answer("The methods.", ("Allow",)),
            **_problems("OPTIONS", (*ANYWHERE, *_refusals("OPTIONS", route.handler))),
        },
    }
    names = re.findall(r"\{(\w+)\}", route.template)
    if names:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    return item


def _operation(route: Route, method: str, described: Operation) -> dict[str, Any]:
    answers = {
        str(status): _answer(
            answer.description,
            answer.headers,
            None if answer.kind is None or method == "HEAD" else answer.media_type,
            answer.kind,
            () if method == "HEAD" else answer.other_media_types,
        )
        for status, answer in described.answers.items()
    }
    if described.conditional and method in ("GET", "HEAD"):
        answers["304"] = _answer("It has not changed.", ("ETag",))
    result: dict[str, Any] = {
        "operationId": _operation_id(method, route.template),
        "summary": described.summary,
        "responses": {
            **_problems(method, (*described.problem_codes(), *_refusals(method, route.handler))),
            **answers,
        },
    }
    parameters = [*_query_parameters(described), *_condition_parameters(described)]
    if parameters:
        result["parameters"] = parameters
    if described.body is not None:
        schema = _schema(described.body.kind)
        result["requestBody"] = {
            "required": True,
            "content": {media: {"schema": schema} for media in described.body.media_types},
        }
    return result


def _refusals(method: str, handler: type[BaseHandler]) -> tuple[str, ...]:
    if not handler.is_guarded:
        return ()
    return ("local-only",) if method in SAFE_METHODS else ("local-only", "cross-origin")


def _operation_id(method: str, template: str) -> str:
    words = re.findall(r"\w+", template)
    return "_".join([method.lower(), *words])


def _answer(
    description: str,
    headers: Sequence[str],
    media_type: str | None = None,
    kind: Any = None,
    texts: Sequence[str] = (),
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": description,
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *headers)
        },
    }
    if media_type is not None:
        answer["content"] = {
            media_type: {"schema": _schema(kind)},
            **{text: {"schema": {"type": "string"}} for text in texts},
        }
    return answer


def _problems(method: str, codes: Sequence[str]) -> dict[str, Any]:
    by_status: dict[str, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(str(PROBLEMS[code].status), []).append(code)
    answers = {}
    for status, same in sorted(by_status.items()):
        headers = [_PROBLEM_HEADERS[status]] if status in _PROBLEM_HEADERS else []
        if status == "415":
            headers = ["Accept-Patch" if method == "PATCH" else "Accept-Post", "Accept-Encoding"]
        answers[status] = _answer(
            ", or ".join(f"{PROBLEMS[code].title} (`/problems/{code}`)" for code in same) + ".",
            headers,
            None if method == "HEAD" else _PROBLEM_MEDIA_TYPE,
            Problem,
        )
    return answers


def _query_parameters(described: Operation) -> list[dict[str, Any]]:
    if described.query is None:
        return []
    _, components = msgspec.json.schema_components([described.query])
    properties: Mapping[str, dict[str, Any]] = components[described.query.__name__]["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in properties.items()
    ]


def _condition_parameters(described: Operation) -> list[dict[str, Any]]:
    if not described.conditional:
        return []
    return [
        {"name": name, "in": "header", "description": text, "schema": _TAG_LIST}
        for name, text in (
            ("If-Match", "Go on only if the entity tag is one of these (RFC 9110, 13.1.1)."),
            ("If-None-Match", "Go on only if it is none of these (RFC 9110, 13.1.2)."),
        )
    ]


@cache  # A kind stands in a dozen answers, and describing it takes a millisecond.
def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_SCHEMA_REFERENCE)
    return schema


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    kinds: list[Any] = [Problem]
    for route in routes:
        for _, described in operations(route.handler):
            kinds += [answer.kind for answer in described.answers.values() if answer.kind]
            if described.body is not None:
                kinds.append(described.body.kind)
    _, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMA_REFERENCE)
    return components
