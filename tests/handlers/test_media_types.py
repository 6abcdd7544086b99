"""Bodies are read in one media type, one character set and one coding; others are told which."""

import gzip

import pytest

from handlers.media_types import MAX_PARAMETERS

pytestmark = pytest.mark.gen_test

JSON = {"Content-Type": "application/json"}


async def post(api, body, headers=JSON):
    """Send a body to the list and make sure that nothing is stored of it unless it was 201."""
    answer = await api.call("POST", "/v1/todos", body=body, headers=headers)
    stored = (await api.call("GET", "/v1/todos")).json()["items"]
    assert len(stored) == (answer.status == 201)
    return answer


READ = [
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    'application/json ; charset="UTF-8"',
    "application/json;",
    "application/json; charset=utf8",
    'APPLICATION/json;charset="UTF8"',
    "application/json; charset=us-ascii",
    'application/json; charset="US-ASCII"',
    r'application/json; charset="ut\f-8"',
    "application/json; ; x=1 ;charset=utf-8",
    "application/json; x=1",
    'application/json; profile="a; charset=latin1"',
    "application/json;odata.metadata=minimal; boundary=a/b=c",
]
UNREAD = [
    *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"),
    *("application/json; charset=utf-16", "application/json; charset=latin1", "application/jsonp"),
    *(
        "application/json; x",
        "application/json; charset",
        "application/json; charset=",
    ),
    *("application/json; charset=utf-8, text/plain", 'application/json; charset="utf-8'),
    *(
        'application/json; charset="utf-8"x',
        "application/json charset=utf-8",
        "application/*",
        "application/json, text/plain",
        "json",
        "*/*",
    ),
    "application/merge-patch+json",
]


@pytest.mark.parametrize(("parameters", "status"), [(MAX_PARAMETERS, 201), (1000, 415)])
async def test_a_media_type_has_so_many_parameters_at_most(api, parameters, status):
    media_type = "application/json;" + ";x=" * parameters
    answer = await post(api, '{"content": "a"}', {"Content-Type": media_type})
    assert answer.status == status


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
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert "Accept-Post" not in answer.headers


async def test_a_media_type_that_is_not_read_says_nothing_of_codings(api):
    answer = await post(api, "a", {"Content-Type": "text/plain"})
    assert (answer.status, answer.headers.get("Accept-Encoding")) == (415, None)
    answer = await post(api, "a", {"Content-Type": "text/plain", "Content-Encoding": "gzip"})
    assert (answer.headers["Accept-Post"], answer.headers["Accept-Encoding"]) == (
        *("application/json", "identity"),
    )


@pytest.mark.parametrize("coding", ["Identity", "identity, identity", ""])
async def test_a_body_said_to_be_not_compressed_is_read(api, coding):
    answer = await post(api, '{"content": "a"}', {**JSON, "Content-Encoding": coding})
    assert answer.status == 201
