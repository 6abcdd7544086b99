"""The table of docs/api.md says where the first version differs from the article's program."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.gen_test

FORM = "application/x-www-form-urlencoded"
FILE = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\na\r\n--x--\r\n'


def form(body, media_type=FORM, **fields):
    return ("POST", "/todo", {"Content-Type": media_type, **fields}, body)


def page(query):
    return ("GET", f"/todo?{query}", {}, None)


REQUESTS = {
    "`content=`": form(b"content="),
    "`content=a&content=b`": form(b"content=a&content=b"),
    "`content=a%00b`": form(b"content=a%00b"),
    "`content=%FF`": form(b"content=%FF"),
    "4,097 characters": form(b"content=" + b"a" * 4097),
    "70,000 bytes": form(b"content=" + b"a" * 69_992),
    "102 fields": form(b"content=a" + b"&a=1" * 101),
    "`charset=gbk`": form(b"content=a", f"{FORM}; charset=gbk"),
    "`Content-Encoding: gzip`": form(b"content=a", **{"Content-Encoding": "gzip"}),
    "JSON": form(b'{"content": "a"}', "application/json"),
    "a form without a media type": None,
    "`content` as a file": form(FILE, "multipart/form-data; boundary=x"),
    "`start=10001`": page("start=10001"),
    "`start` of 19 digits": page("start=" + "9" * 19),
    "`start=%EF%BC%91`": page("start=%EF%BC%91"),
    "`start=1&start=0`": page("start=1&start=0"),
    "`OPTIONS /todo`": ("OPTIONS", "/todo", {}, None),
    "`GET /`": ("GET", "/", {}, None),
    "method `BREW`": ("BREW", "/todo", {}, None),
}


def documented():
    """Return the status that the table gives for each of its requests."""
    text = Path(__file__).parents[2].joinpath("docs/api.md").read_text(encoding="utf-8")
    table = text.partition("<!-- article -->\n")[2].partition("<!-- /article -->")[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in table.splitlines()[2:]]
    return {request: int(here[:3]) for request, _article, here, _why in rows}


async def test_the_table_names_all_that_is_tried():
    assert list(documented()) == list(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_first_version_answers_as_the_table_says(api, name):
    if name == "a form without a media type":
        answer = await api.send(
            b"POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ncontent=a"
        )
    else:
        method, target, headers, body = REQUESTS[name]
        answer = await api.call(method, target, headers=headers, body=body)
    assert answer.status == documented()[name]
