"""The OpenAPI document is valid and says what the routes really do."""

import json
import re

import pytest
from openapi_spec_validator import validate

from handlers import ROUTES
from handlers.openapi import build_document
from handlers.problems import PROBLEMS

DOCUMENT = json.loads(build_document(ROUTES))
OPERATIONS = [
    (template, method, operation)
    for template, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]


def each_operation():
    return pytest.mark.parametrize(
        ("template", "method", "operation"),
        OPERATIONS,
        ids=[f"{method} {template}" for template, method, _ in OPERATIONS],
    )


def test_the_document_is_valid():
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def test_it_lists_every_route_and_nothing_else():
    assert list(DOCUMENT["paths"]) == [route.template for route in ROUTES]


@pytest.mark.parametrize("route", ROUTES, ids=[route.template for route in ROUTES])
def test_it_lists_every_method_of_a_route_and_no_other(route):
    listed = {method for template, method, _ in OPERATIONS if template == route.template}
    assert listed == {method.lower() for method in route.handler.allowed_methods()}


def test_every_operation_has_an_id_of_its_own():
    ids = [operation["operationId"] for *_, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]\w+", name) for name in ids)


@each_operation()
def test_an_operation_names_only_problems_that_exist_each_under_its_status(
    template, method, operation
):
    for status, answer in operation["responses"].items():
        named = re.findall(r"/problems/([a-z-]+)", answer["description"])
        is_health = (template, status) == ("/readyz", "503")
        assert bool(named) == (int(status) >= 400 and not is_health)
        assert all(PROBLEMS[code].status == int(status) for code in named)


@each_operation()
def test_every_problem_has_the_one_schema_and_every_answer_a_request_id(
    template, method, operation
):
    for answer in operation["responses"].values():
        assert "X-Request-Id" in answer["headers"]
        content = answer.get("content", {})
        assert method != "head" or not content
        if "/problems/" in answer["description"] and method != "head":
            schema = content["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}


@each_operation()
def test_an_operation_says_what_any_request_can_meet(template, method, operation):
    assert {"413", "500"} <= set(operation["responses"])
    assert operation["summary"].endswith(".")


@each_operation()
def test_an_operation_that_reads_a_body_says_how_other_bodies_are_refused(
    template, method, operation
):
    media_types = operation.get("requestBody", {"content": {}})["content"]
    refusals = {"415"} if media_types else set()
    if any(name.endswith("json") for name in media_types):
        refusals.add("422")
    assert {"415", "422"} & set(operation["responses"]) == refusals


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_tells_a_person_what_to_do(code):
    problem = PROBLEMS[code]
    assert re.fullmatch("[a-z]+(-[a-z]+)*", code)
    assert 400 <= problem.status < 600
    assert problem.advice.endswith(".")
