"""What clients send is refused with the place and the reason, is never a fault, never a query."""

import gzip
import json

import pytest

from app.domain.todo import MAX_CONTENT_CHARACTERS
from handlers.validation import MAX_FIELDS

pytestmark = pytest.mark.gen_test

JSON = {"Content-Type": "application/json"}
NOT_ALLOWED = "is none of the values allowed here"


async def post(api, body, headers=JSON):
    """Send a body to the list and make sure that nothing is stored of it unless it was 201."""
    answer = await api.call("POST", "/v1/todos", body=body, headers=headers)
    stored = (await api.call("GET", "/v1/todos")).json()["items"]
    assert len(stored) == (answer.status == 201)
    return answer


# --- One row for each rule of handlers/validation.py

CONTENT_RULES = [
    ('{"content": "a", "x": 1}', "#/x", "unknown_field", "is not known here"),
    ("{}", "#/content", "missing", "is required"),
    ('{"content": ""}', "#/content", "too_short", "must not be empty"),
    (
        json.dumps({"content": "a" * (MAX_CONTENT_CHARACTERS + 1)}),
        "#/content",
        "too_long",
        "is longer than 4096 characters",
    ),
    (
        '{"content": "\\u001b"}',
        "#/content",
        "invalid_character",
        "holds a control character or half a surrogate pair",
    ),
    ('{"content": 1}', "#/content", "wrong_type", "must be a string"),
    ("[]", "#", "wrong_type", "must be an object"),
]


@pytest.mark.parametrize(
    ("body", "pointer", "code", "detail"), CONTENT_RULES, ids=[row[2] for row in CONTENT_RULES]
)
async def test_content_that_breaks_a_rule_is_422_naming_the_member(
    api, body, pointer, code, detail
):
    answer = await post(api, body)
    assert (answer.status, *answer.wrong) == (422, pointer, code)
    assert answer.json()["errors"][0]["detail"] == detail


@pytest.mark.parametrize(
    ("query", "parameter", "code", "detail"),
    [
        ("limit=0", "limit", "too_small", "is below 1"),
        ("limit=-" + "9" * 30, "limit", "too_small", "is below 1"),
        ("limit=101", "limit", "too_large", "is above 100"),
        ("limit=" + "9" * 30, "limit", "too_large", "is above 100"),
        ("limit=ten", "limit", "wrong_type", "must be an integer"),
        ("limit=", "limit", "wrong_type", "must be an integer"),
        ("limit", "limit", "wrong_type", "must be an integer"),
        ("limit=%EF%BC%91", "limit", "wrong_type", "must be an integer"),
        ("limit=1;is_finished=true", "limit", "wrong_type", "must be an integer"),
        ("is_finished=maybe", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=null", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=True", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=1", "is_finished", "not_allowed", NOT_ALLOWED),
        ("cursor=" + "A" * 65, "cursor", "too_long", "is longer than 64 characters"),
        ("limit=1&limit=1", "limit", "repeated", "is given more than once"),
        ("owner=eve", "owner", "unknown_field", "is not known here"),
        ("content[$gt]=", "content[$gt]", "unknown_field", "is not known here"),
        ("$where=1", "$where", "unknown_field", "is not known here"),
        ("x" * 5000 + "=1", "x" * 100, "unknown_field", "is not known here"),
        ("%00=1", "\0", "unknown_field", "is not known here"),
        ("limit%0A=1", "limit\n", "unknown_field", "is not known here"),
    ],
    ids=lambda value: value[:24],
)
async def test_a_query_that_breaks_a_rule_is_400_naming_the_parameter(
    api, query, parameter, code, detail
):
    answer = await api.call("GET", f"/v1/todos?{query}")
    assert (answer.status, *answer.wrong) == (400, parameter, code)
    assert answer.json()["errors"][0]["detail"] == detail


@pytest.mark.parametrize(
    "query",
    [
        "%FF=1",
        "limit=%FF",
        "%ED%A0%80=1",
        pytest.param("&".join(f"a{n}=1" for n in range(MAX_FIELDS + 1)), id="too many"),
    ],
)
async def test_a_query_that_cannot_be_read_is_400(api, query):
    answer = await api.call("GET", f"/v1/todos?{query}")
    assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-parameter")


@pytest.mark.parametrize("query", ["limit=1", "limit=100", "is_finished=true", "&&", ""])
async def test_a_query_within_the_limits_is_answered(api, query):
    assert (await api.call("GET", f"/v1/todos?{query}")).status == 200


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
    assert answer.json()["detail"] == "x" * 100 + " is not known here."


@pytest.mark.parametrize(
    "value",
    ['{"$gt": ""}', '{"$ne": null}', '["a"]', "null", "true", "1" + "0" * 4000],
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
        *(b"1e400", b'{"content": -1e400}'),
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
        pytest.param(b'{"content": ' + b"1" * 5000 + b"}", id="5000 digits"),
    ],
)
async def test_what_is_no_proper_json_is_400(api, body):
    answer = await post(api, body)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-json")


# --- Media types

READ = [
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    'application/json ; charset="UTF-8"',
    "application/json;",
]
UNREAD = [
    *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"),
    *("application/json; charset=utf-16", "application/json; charset=latin1", "application/jsonp"),
    *("application/json; x=1", "application/*", "application/json, text/plain", "json", "*/*"),
    "application/merge-patch+json",
]


@pytest.mark.parametrize("media_type", READ)
async def test_json_in_utf_8_is_read(api, media_type):
    answer = await post(api, '{"content": "買う"}', {"Content-Type": media_type})
    assert (answer.status, answer.json()["content"]) == (201, "買う")


@pytest.mark.parametrize("media_type", UNREAD)
async def test_other_media_types_are_415_naming_what_is_read(api, media_type):
    answer = await post(api, '{"content": "a"}', {"Content-Type": media_type})
    assert (answer.status, answer.headers["Accept-Post"]) == (415, "application/json")


async def test_a_body_without_a_media_type_is_415(api):
    head = b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n"
    assert (await api.send(head + b'{"content": "a"}')).status == 415


@pytest.mark.parametrize("media_type", ["text/plain", "application/json-patch+json", ""])
async def test_a_patch_in_another_media_type_is_415_naming_what_is_read(api, media_type):
    target = f"/v1/todos/{(await api.add())['id']}"
    headers = {"Content-Type": media_type}
    answer = await api.call("PATCH", target, body="{}", headers=headers)
    assert answer.status == 415
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json, application/json"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
async def test_compressed_bodies_are_not_unpacked(api, coding):
    bomb = gzip.compress(b" " * 10_000_000 + b'{"content": "a"}')
    answer = await post(api, bomb, {**JSON, "Content-Encoding": coding})
    assert answer.status == 415


async def test_a_body_said_to_be_not_compressed_is_read(api):
    answer = await post(api, '{"content": "a"}', {**JSON, "Content-Encoding": "Identity"})
    assert answer.status == 201
