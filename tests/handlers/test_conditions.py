"""Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13)."""

import asyncio
from time import thread_time

import pytest
from tornado.httputil import HTTPHeaders

from handlers.conditions import parse_tags
from handlers.problems import RequestProblem

pytestmark = pytest.mark.gen_test

UNKNOWN = "/v1/todos/0123456789abcdef01234567"
TAGGED = ("/index", "/", "/todo", "/v1/todos", "/version", "/openapi.json")
MALFORMED = [
    *("", " ", ",", "3", '"3', '3"', "'3'", 'w/"3"', 'W/ "3"', '"3" "4"', '"3";q=1', '"3", 4'),
    *('*, "3"', '"3", *', "**", '"a b"', '"a"b"', '"\t"'),
]
HUGE = '"99999999999999999999999999"'


async def address(api):
    """Add a todo at revision 2 and return its address."""
    todo = await api.add()
    target = f"/v1/todos/{todo['id']}"
    await api.call("PATCH", target, json_body={"content": "second"})
    return target


# --- Conditional GET


@pytest.mark.parametrize("target", TAGGED)
async def test_a_known_tag_is_answered_304_with_the_tag_and_no_body(api, target):
    await api.add()
    first = await api.call("GET", target)
    again = await api.call("GET", target, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert again.headers[name] == first.headers[name]


async def test_the_tag_of_a_list_changes_with_every_change_of_a_todo_on_it(api):
    todo = await api.add()
    target = f"/v1/todos/{todo['id']}"
    for method, where, body in (
        ("POST", "/v1/todos", {"content": "another"}),
        ("PATCH", target, {"content": "new"}),
        ("PATCH", target, {"is_finished": True}),
        ("DELETE", target, None),
    ):
        tags = {
            path: (await api.call("GET", path)).headers["ETag"] for path in ("/todo", "/v1/todos")
        }
        await api.call(method, where, json_body=body)
        for path, tag in tags.items():
            # The first version does not show the time of the last change, nor the revision.
            answer = await api.call("GET", path, headers={"If-None-Match": tag})
            assert answer.status == 200


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ('"2"', 304),
        ('W/"2"', 304),
        ("*", 304),
        (" * ", 304),
        ('"1", "2"', 304),
        ('"1",W/"2"', 304),
        (', ,"1" ,, "2",', 304),
        ('"a,b", "2"', 304),
        ('"1"', 200),
        ('W/"1"', 200),
        ('"1", "3"', 200),
        ('"02"', 200),
        ('""', 200),
        ('"a,2"', 200),
        (HUGE, 200),
        ('"é"', 200),
    ],
)
async def test_if_none_match_compares_weakly(api, value, status):
    target = await address(api)
    answer = await api.call("GET", target, headers={"If-None-Match": value})
    assert (answer.status, answer.headers["ETag"]) == (status, '"2"')


@pytest.mark.parametrize(("value", "status"), [('"2"', 200), ("*", 200), ('"1"', 412)])
async def test_if_match_is_heeded_when_reading(api, value, status):
    target = await address(api)
    answer = await api.call("GET", target, headers={"If-Match": value})
    assert (answer.status, answer.headers["ETag"]) == (status, '"2"')


async def test_if_match_comes_before_if_none_match(api):
    target = await address(api)
    for match, status in (('"1"', 412), ('"2"', 304)):
        headers = {"If-Match": match, "If-None-Match": '"2"'}
        assert (await api.call("GET", target, headers=headers)).status == status


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}, {"If-Match": '"7"'}], ids=str)
async def test_head_answers_with_the_header_of_get_and_no_body(api, headers):
    target = await address(api)
    for path in (target, *TAGGED, "/livez", "/problems/not-found", "/nowhere", UNKNOWN):
        fixed = {**headers, "X-Request-Id": "same"}
        got = await api.call("GET", path, headers=fixed)
        head = await api.call("HEAD", path, headers=fixed)
        assert (head.status, head.body) == (got.status, b"")
        for answer in (got, head):
            answer.headers.pop("Date", None)
        assert dict(head.headers) == dict(got.headers)


# --- Protection against lost updates

METHODS = [("PATCH", {"content": "third"}, 200), ("DELETE", None, 204)]
HELD = ['"2"', "*", '"1", "2"', '"2", W/"1"', '"x", "2"']
STALE = ['"1"', '"3"', 'W/"2"', 'W/"1", W/"2"', '""', '"02"', '"2.0"', '"-2"', HUGE, '"é"', '"²"']


@pytest.mark.parametrize("value", HELD)
@pytest.mark.parametrize(("method", "body", "status"), METHODS)
async def test_a_change_goes_on_if_its_tag_is_the_present_one(api, method, body, status, value):
    target = await address(api)
    answer = await api.call(method, target, json_body=body, headers={"If-Match": value})
    assert answer.status == status


@pytest.mark.parametrize("value", STALE)
@pytest.mark.parametrize(("method", "body", "_"), METHODS)
async def test_a_stale_change_is_412_with_the_present_todo_and_changes_nothing(
    api, method, body, _, value
):
    target = await address(api)
    todo = (await api.call("GET", target)).json()
    answer = await api.call(method, target, json_body=body, headers={"If-Match": value})
    assert (answer.status, answer.headers["ETag"]) == (412, '"2"')
    assert answer.json()["current"] == todo
    assert (await api.call("GET", target)).json() == todo


async def test_a_stale_patch_that_would_change_nothing_is_412_all_the_same(api):
    target = await address(api)
    answer = await api.call("PATCH", target, json_body={}, headers={"If-Match": '"1"'})
    assert answer.status == 412


@pytest.mark.parametrize(
    ("value", "may"),
    [('"1"', True), (HUGE, True), ('W/"1"', True), ('"2"', False), ('W/"2"', False), ("*", False)],
)
@pytest.mark.parametrize(("method", "body", "status"), METHODS)
async def test_if_none_match_is_heeded_when_changing(api, method, body, status, value, may):
    target = await address(api)
    answer = await api.call(method, target, json_body=body, headers={"If-None-Match": value})
    assert answer.status == (status if may else 412)


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["*", '"1"'])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {}), ("DELETE", None)])
async def test_a_precondition_never_changes_a_404(api, method, body, name, value):
    answer = await api.call(method, UNKNOWN, json_body=body, headers={name: value})
    assert (answer.status, answer.json()["type"]) == (404, "/problems/todo-not-found")


async def test_of_two_changes_with_the_same_tag_exactly_one_wins(api):
    target = await address(api)
    answers = await asyncio.gather(
        *(
            api.call("PATCH", target, json_body={"content": text}, headers={"If-Match": '"2"'})
            for text in "abcdefgh"
        )
    )
    assert sorted(answer.status for answer in answers) == [200, *[412] * 7]
    (winner,) = (answer.json() for answer in answers if answer.status == 200)
    assert (await api.call("GET", target)).json() == winner


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {}), ("DELETE", None)])
async def test_a_condition_that_cannot_be_understood_is_400(api, method, body, name):
    target = await address(api)
    answer = await api.call(method, target, json_body=body, headers={name: "2"})
    assert (answer.status, *answer.wrong) == (400, name, "malformed")
    assert (await api.call("GET", target)).headers["ETag"] == '"2"'


async def test_both_conditions_that_cannot_be_understood_are_named(api):
    headers = {"If-Match": "2", "If-None-Match": "x"}
    answer = await api.call("GET", "/v1/todos", headers=headers)
    assert answer.status == 400
    assert [error["header"] for error in answer.json()["errors"]] == ["If-Match", "If-None-Match"]


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_conditions_on_a_date_that_nothing_has_are_ignored(api, name, date):
    # RFC 9110, sections 13.1.3 and 13.1.4.
    target = await address(api)
    for method, body, status in (("GET", None, 200), *METHODS):
        answer = await api.call(method, target, json_body=body, headers={name: date})
        assert answer.status == status


# --- Reading the header fields


@pytest.mark.parametrize("value", MALFORMED)
async def test_what_is_no_list_of_tags_is_refused(value):
    with pytest.raises(RequestProblem) as caught:
        parse_tags({"If-Match": value}, "If-Match")
    assert caught.value.code == "invalid-header"


async def test_tags_of_several_header_lines_are_one_list():
    headers = HTTPHeaders()
    headers.add("If-Match", '"1"')
    headers.add("If-Match", 'W/"2", "3"')
    tags = parse_tags(headers, "If-Match")
    assert (tags.every, tags.strong, tags.weak) == (False, {"1", "3"}, {"2"})


@pytest.mark.parametrize(
    "value",
    ['"1"' + ", " * 8000 + "x", '"1",' * 4000 + "x", ", " * 8000 + '"', '"1", , ' * 2000 + '"'],
    ids=["commas", "tags", "leading commas", "gaps"],
)
async def test_a_full_header_is_read_in_no_time(value):
    started = thread_time()
    with pytest.raises(RequestProblem):
        parse_tags({"If-Match": value}, "If-Match")
    assert thread_time() - started < 0.5
