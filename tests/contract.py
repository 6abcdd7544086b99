"""Holds an answer against what every answer owes and against the OpenAPI document."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, FormatChecker

from handlers import ROUTES
from handlers.openapi import build_document
from handlers.problems import PROBLEMS, REFUSALS

DOCUMENT: dict[str, Any] = json.loads(build_document(ROUTES))
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""What an address may refuse with 405 (RFC 9110 and RFC 5789)."""
UNREAD = {PROBLEMS[code].status for code in REFUSALS}
"""What may be answered whatever the address: the server has not read so far."""


def check_answer(
    method: str, target: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Fail unless an answer keeps the contract.

    Args:
        method: the request's method.
        target: the request's path and query.
        status: the answer's status code.
        headers: the answer's header fields, found by any case.
        body: the answer's body.
    """
    where = f"{method} {target[:200]} -> {status} {body[:300]!r}"
    assert status < 500 or status in (501, 503, 505), where
    assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", headers["X-Request-Id"]), where
    assert "Server" not in headers, where
    assert headers["X-Content-Type-Options"] == "nosniff", where
    if status in (204, 304):
        assert not body, where
        assert "Content-Type" not in headers, where
    elif method != "HEAD":
        assert int(headers["Content-Length"]) == len(body), where
    media_type = headers.get("Content-Type", "").partition(";")[0]
    if media_type == "application/problem+json" and method != "HEAD":
        _check_problem(where, status, headers, json.loads(body))
    _check_documented(where, method, target, status, headers, body)


def _check_problem(
    where: str, status: int, headers: Mapping[str, str], problem: dict[str, Any]
) -> None:
    code = problem["type"].removeprefix("/problems/")
    assert problem["status"] == status == PROBLEMS[code].status, where
    assert problem["title"] == PROBLEMS[code].title, where
    assert problem["instance"] == f"urn:request:{headers['X-Request-Id']}", where
    assert status != 405 or "Allow" in headers, where
    assert status != 503 or "Retry-After" in headers, where
    assert code != "invalid-content" or problem["errors"], where
    for error in problem.get("errors", ()):
        assert error["code"] != "invalid", where
        assert len({"pointer", "parameter", "header"} & set(error)) == 1, where


def _check_documented(
    where: str, method: str, target: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    path = re.sub(r"\Ahttps?://[^/]*", "", target.partition("?")[0]) or "/"
    if method not in KNOWN_METHODS:  # Whatever the address; methods have a case.
        assert status in (405 if method in {"TRACE", "CONNECT"} else 501, *UNREAD), where
        item = _path_item(path)
        own = KNOWN_METHODS if item is None else _methods(item)
        assert status != 405 or set(headers["Allow"].split(", ")) == own, where
        return
    if (method, path) == ("OPTIONS", "*"):
        assert status == 204, where
        return
    item = _path_item(path)
    if item is None:
        assert status in (404, *UNREAD), f"no route, yet {where}"
        return
    operation = item.get(method.lower())
    if operation is None:
        # 403: who is not let in is not told which methods there are.
        assert status in (403, 405, *UNREAD), f"method not documented: {where}"
        if status == 405:
            assert set(headers["Allow"].split(", ")) == _methods(item), where
        return
    if path.startswith("/v1/") and method != "OPTIONS" and status < 400:
        asked = {name for name, _ in parse_qsl(target.partition("?")[2], keep_blank_values=True)}
        assert asked <= {parameter["name"] for parameter in operation["parameters"]}, where
    answer = operation["responses"].get(str(status))
    assert answer is not None, f"status not documented: {where}"
    content = answer.get("content")
    if content is None:
        assert not body, f"body not documented: {where}"
        return
    media_type = headers["Content-Type"].partition(";")[0]
    assert media_type in content, f"media type not documented: {where}"
    if media_type.endswith("json"):
        _validator(json.dumps(content[media_type]["schema"])).validate(json.loads(body))


def _methods(item: dict[str, Any]) -> set[str]:
    return {name.upper() for name in item if name != "parameters"}


def _path_item(path: str) -> dict[str, Any] | None:
    for route in ROUTES:
        if route.matches(path):
            found: dict[str, Any] = DOCUMENT["paths"][route.template]
            return found
    return None


@cache
def _validator(schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())
