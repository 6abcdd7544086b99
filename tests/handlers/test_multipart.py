"""The first version reads forms as multipart/form-data too (RFC 7578)."""

import pytest

from handlers.validation import MAX_FIELDS

pytestmark = pytest.mark.gen_test


def part(text, name="content", more=""):
    head = f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + text + b"\r\n"


def form(*parts, boundary="x"):
    return b"".join(b"--%b\r\n%b" % (boundary.encode(), one) for one in parts) + (
        f"--{boundary}--\r\n".encode()
    )


async def post(api, body, boundary="; boundary=x"):
    return await api.call(
        "POST", "/todo", body=body, headers={"Content-Type": f"multipart/form-data{boundary}"}
    )


async def contents(api):
    return [todo["content"] for todo in (await api.call("GET", "/todo")).json()["data"]]


READ = {
    "one field": (form(part(b"a")), "a"),
    "Chinese": (form(part("买牛奶".encode())), "买牛奶"),
    "line ends": (form(part(b"a\r\n\r\n--y\r\nb\r\n")), "a\r\n\r\n--y\r\nb\r\n"),
    "a longer line than the boundary": (form(part(b"a\r\n--xy")), "a\r\n--xy"),
    "what a form would decode": (form(part(b"a+b%20c&d=e")), "a+b%20c&d=e"),
    "others around it": (form(part(b"1", "a"), part(b"a"), part(b"2", "a")), "a"),
    "a picture beside it": (
        form(
            part(b"\x89PNG\xff", "a", '; filename="a.png"\r\nContent-Type: image/png'), part(b"a")
        ),
        "a",
    ),
    "a name that is not UTF-8": (form(part(b"1").replace(b"content", b"\xff"), part(b"a")), "a"),
    "as requests sends its files": (
        form(part(b"a", more='; filename="content"')),
        "a",
    ),
    "a file": (form(part(b"a", more='; filename="a.txt"\r\nContent-Type: text/plain')), "a"),
    "a name that looks like another": (
        form(part(b"b", 'x\\"; name=\\"content'), part(b"a")),
        "a",
    ),
    "a file's name that looks like a field's": (
        form(part(b"b", "y", '; filename="; name=content"'), part(b"a")),
        "a",
    ),
    "fields in another order and case": (
        form(
            b"content-type: text/plain\r\nCONTENT-DISPOSITION:Form-Data;NAME=content\r\n\r\na\r\n"
        ),
        "a",
    ),
    "a preamble and an epilogue": (b"before\r\n" + form(part(b"a")) + b"after", "a"),
    "no line end at the end": (form(part(b"a"))[:-2], "a"),
    "blanks behind the boundary": (form(part(b"a")).replace(b"--x\r\n", b"--x \t\r\n"), "a"),
}
REFUSED = {
    "nothing": (b"", None),
    "no part": (form(), "missing"),
    "no content": (form(part(b"a", "b")), "missing"),
    "empty": (form(part(b"")), "too_short"),
    "twice": (form(part(b"a"), part(b"b")), "repeated"),
    "a control character": (form(part(b"a\0")), "invalid_character"),
    "not UTF-8": (form(part(b"a\xff")), "invalid_character"),
    "no end": (form(part(b"a"))[:-6], None),
    "cut off": (form(part(b"a"))[:-12], None),
    "another boundary": (form(part(b"a"), boundary="y"), None),
    "line feeds alone": (form(part(b"a")).replace(b"\r\n", b"\n"), None),
    "a part without a head": (form(b"\r\na\r\n"), None),
    "a part without a name": (form(b"Content-Disposition: form-data\r\n\r\na\r\n"), None),
    "a part that is an attachment": (
        form(b'Content-Disposition: attachment; name="content"\r\n\r\na\r\n'),
        None,
    ),
    "too many parts": (form(*[part(b"a", "b")] * MAX_FIELDS, part(b"a")), None),
    "far too many parts": (form(*[part(b"", "b")] * 1000), None),
}


@pytest.mark.parametrize(("body", "content"), READ.values(), ids=READ)
async def test_the_content_of_a_multipart_form_is_stored_as_it_is(api, body, content):
    assert (await post(api, body)).status == 200
    assert await contents(api) == [content]


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
async def test_an_unusable_multipart_form_is_400_and_stores_nothing(api, body, code):
    answer = await post(api, body)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-parameter")
    if code is not None:
        assert answer.wrong == ("content", code)
    assert await contents(api) == []


async def test_as_many_parts_as_there_may_be_are_read(api):
    assert (await post(api, form(*[part(b"", "b")] * (MAX_FIELDS - 1), part(b"a")))).status == 200


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71, "; x=y"]
)
async def test_a_boundary_that_is_none_is_400(api, boundary):
    answer = await post(api, form(part(b"a")), boundary)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-parameter")


@pytest.mark.parametrize("given", ["'()+_,-./:=? z'", "----WebKitFormBoundary7MA4YWxkTrZu0gW"])
async def test_boundaries_of_all_characters_are_found(api, given):
    answer = await post(api, form(part(b"a"), boundary=given), f'; boundary="{given}"')
    assert answer.status == 200
