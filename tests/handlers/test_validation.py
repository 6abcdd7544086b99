"""What clients send is refused with the place and the reason, is never a fault, never a query."""

import json
from time import thread_time

import pytest

from app.domain.todo import MAX_CONTENT_CHARACTERS
from handlers.validation import MAX_ERRORS

pytestmark = pytest.mark.gen_test

JSON = {"Content-Type": "application/json"}


async def post(api, body, headers=JSON):
    """Send a body to the list and make sure that nothing is stored of it unless it was 201."""
    answer = await api.call("POST", "/v1/todos", body=body, headers=headers)
    stored = (await api.call("GET", "/v1/todos")).json()["items"]
    assert len(stored) == (answer.status == 201)
    return answer


# --- One row for each rule of handlers/validation.py

CONTENT_RULES = [
    ('{"content": "a", "x": 1}', "#/x", "unknown_field", "is not known here; known: content"),
    ("{}", "#/content", "missing", "is required"),
    ('{"content": ""}', "#/content", "too_short", "must not be empty"),
    (
        json.dumps({"content": "a" * (MAX_CONTENT_CHARACTERS + 1)}),
        "#/content",
        "too_long",
        "is longer than 4096 characters: it has 4097",
    ),
    (
        '{"content": "ab\\u001b"}',
        "#/content",
        "invalid_character",
        "holds a control character or half a surrogate pair: U+001B as character 3",
    ),
    (
        '{"content": "\\ud83c\\udf82\\ud83c"}',
        "#/content",
        "invalid_character",
        "holds a control character or half a surrogate pair: U+D83C as character 2",
    ),
    (
        '{"content": "a", "rev": 1}',
        "#/rev",
        "read_only",
        "can be read, but not set here",
    ),
    ('{"content": 1}', "#/content", "wrong_type", "must be a string"),
    ("[]", "#", "wrong_type", "must be an object"),
]


@pytest.mark.parametrize(
    ("body", "pointer", "code", "detail"), CONTENT_RULES, ids=[row[3][:40] for row in CONTENT_RULES]
)
async def test_content_that_breaks_a_rule_is_422_naming_the_member(
    api, body, pointer, code, detail
):
    answer = await post(api, body)
    assert (answer.status, *answer.wrong) == (422, pointer, code)
    assert answer.json()["errors"][0]["detail"] == detail


async def test_every_wrong_member_is_told_of(api):
    todo = await api.add()
    changes = {"content": "", "is_finished": "yes", "x": 1, "y": 2}
    answer = await api.call("PATCH", f"/v1/todos/{todo['id']}", json_body=changes)
    problem = answer.json()
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        *(("#/content", "too_short"), ("#/is_finished", "wrong_type")),
        *(("#/x", "unknown_field"), ("#/y", "unknown_field")),
    ]
    assert problem["detail"] == (
        "content must not be empty. is_finished must be true or false. "
        "x is not known here; known: content, is_finished. 1 more are wrong."
    )
    members = {"rev": 1, "is_finished": True, "x": 1}
    answer = await api.call("POST", "/v1/todos", json_body=members)
    assert [error["code"] for error in answer.json()["errors"]] == [
        *("read_only", "read_only", "unknown_field", "missing"),
    ]


async def test_sending_back_what_was_read_names_each_member_that_is_read_only(api):
    todo = await api.add()
    answer = await api.call("PATCH", f"/v1/todos/{todo['id']}", json_body=todo)
    assert answer.status == 422
    errors = answer.json()["errors"]
    assert {error["pointer"] for error in errors} == {
        f"#/{name}" for name in todo if name not in ("content", "is_finished")
    }
    assert {error["code"] for error in errors} == {"read_only"}


async def test_a_thousand_wrong_members_are_told_of_in_part(api):
    answer = await post(api, json.dumps({"content": "a", **{f"x{n}": 1 for n in range(5000)}}))
    assert (answer.status, len(answer.json()["errors"])) == (422, MAX_ERRORS)
    assert answer.json()["detail"].endswith("4997 more are wrong.")


# --- Names and values that other systems trip over


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("$gt", "#/%24gt"),
        ("$where", "#/%24where"),
        ("a.b", "#/a.b"),
        ("__proto__", "#/__proto__"),
        ("\0", "#/%00"),
        ("content\0", "#/content%00"),
        ("", "#/"),
        ("a/b~c", "#/a~1b~0c"),
        ("１", "#/%EF%BC%91"),
        ("x` - at `$.content", "#/x%60%20-%20at%20%60%24.content"),
        ("\r\nX-Injected: 1", "#/%0D%0AX-Injected%3A%201"),
        ("x" * 100, "#/" + "x" * 100),
        ("x" * 101, "#"),
        ("Content", "#/Content"),
    ],
    ids=lambda value: ascii(value[:20]),
)
async def test_a_member_that_nobody_knows_is_pointed_to_whatever_its_name(api, name, pointer):
    answer = await post(api, json.dumps({"content": "a", name: 1}))
    assert (answer.status, *answer.wrong) == (422, pointer, "unknown_field")


async def test_an_endless_name_is_told_in_part_and_its_object_pointed_to(api):
    answer = await post(api, json.dumps({"content": "a", "x" * 5000: 1}))
    assert (answer.status, *answer.wrong) == (422, "#", "unknown_field")
    assert answer.json()["detail"] == "x" * 100 + " is not known here; known: content."


@pytest.mark.parametrize(
    "value",
    [
        *('{"$gt": ""}', '{"$ne": null}', '["a"]', '["\\ud800"]', "null", "true", "0", "-0.0"),
        *("1" + "0" * 4000, "1" * 4301, "-" + "1" * 4301, "1e400", "-1e400", "1." + "0" * 5000),
        "1e" + "9" * 4301,
    ],
    ids=lambda value: value[:20],
)
async def test_content_of_another_type_is_never_a_query(api, value):
    answer = await post(api, f'{{"content": {value}}}')
    assert (answer.status, *answer.wrong) == (422, "#/content", "wrong_type")


@pytest.mark.parametrize("value", ['"true"', "1", "0", '"yes"', "[]", '{"$ne": true}', "1.0"])
async def test_only_true_and_false_finish(api, value):
    todo = await api.add()
    target = f"/v1/todos/{todo['id']}"
    answer = await api.call("PATCH", target, body=f'{{"is_finished": {value}}}', headers=JSON)
    assert (answer.status, *answer.wrong) == (422, "#/is_finished", "wrong_type")


@pytest.mark.parametrize(
    "character",
    [r"\u0000", r"\u0008", r"\u000b", r"\u001b", r"\u007f", "\x7f", "\x9b", r"\ud800", r"\udfff"],
    ids=ascii,
)
async def test_control_characters_and_half_surrogate_pairs_are_no_text(api, character):
    answer = await post(api, f'{{"content": "a{character}b"}}')
    assert (answer.status, *answer.wrong) == (422, "#/content", "invalid_character")


# --- What is not JSON


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"{'content': 'a'}", b'{"content": "a",}', b'{"content": "a"} {}'),
        *(b"NaN", b'{"content": NaN}', b'{"content": Infinity}', b'{"content": -Infinity}'),
        *(b'{"content": 01}', b'{"content": "\x00"}', b'{"content": "a\nb"}', b"content=a"),
        pytest.param(b"\xef\xbb\xbf" + b'{"content": "a"}', id="byte order mark"),
        pytest.param(b'{"content": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"content": "\xed\xa0\x80"}', id="an encoded surrogate"),
        pytest.param('{"content": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"\\ud800": 1, "content": "a"}', id="half a surrogate pair in a name"),
        pytest.param(b'{"content": "a", "content": "b"}', id="a name twice"),
        pytest.param(b'{"content": "a", "c\\u006fntent": "b"}', id="a name twice, escaped"),
        pytest.param(b'{"content": "a", "x": [{"y": 1, "y": 2}]}', id="a name twice, deep"),
        pytest.param(b"[" * 60_000, id="60 000 arrays"),
        pytest.param(b"[" * 30_000 + b"]" * 30_000, id="30 000 closed arrays"),
        pytest.param(b'{"content":' * 5000 + b"1" + b"}" * 5000, id="5000 objects"),
    ],
)
async def test_what_is_no_proper_json_is_400(api, body):
    answer = await post(api, body)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-json")


@pytest.mark.parametrize("body", [b"1e400", b"1" * 5000, b"[]", b'"\\ud800"', b"null", b"true"])
async def test_json_that_is_no_object_is_422(api, body):
    answer = await post(api, body)
    assert (answer.status, *answer.wrong) == (422, "#", "wrong_type")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"content": "\xff"}', "The body is not UTF-8: byte 14 is 0xFF."),
        (b'\xef\xbb\xbf{"content": "a"}', "A byte order mark stands before the JSON."),
        (b'{"a": 1, "b": 2, "b": 3}', 'The name "b" stands twice in one object.'),
        (b'{"content": "a\nb"}', "Invalid control character at: line 1 column 15 (char 14)."),
        (b'{"content": NaN}', "NaN is not JSON."),
    ],
)
async def test_what_is_no_proper_json_is_told_where(api, body, detail):
    assert (await post(api, body)).json()["detail"] == detail


async def test_thousands_of_names_are_compared_in_no_time(api):
    names = [*(f"x{n}" for n in range(6000)), "x5999"]
    started = thread_time()
    answer = await post(api, "{" + ",".join(f'"{name}":1' for name in names) + "}")
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-json")
    assert thread_time() - started < 5.0  # Comparing each with each takes far longer.
