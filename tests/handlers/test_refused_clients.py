"""Whom the access log names for what the HTTP server refuses, behind a proxy that is trusted."""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.gen_test


@pytest.fixture
def settings(settings):
    return replace(settings, trusted_proxies="127.0.0.0/8", anonymous="write")


@pytest.mark.parametrize(
    ("asked", "fields", "status"),
    [
        (b"BREW / HTTP/1.1", b"", 501),
        (b"TRACE / HTTP/1.1", b"", 405),
        (b"POST / HTTP/1.1", b"Expect: more\r\n", 417),
        (b"POST / HTTP/1.1", b"Content-Length: 9999999\r\n", 413),
        (b"POST / HTTP/1.1", b"Content-Length: x\r\n", 400),
    ],
)
async def test_a_refused_request_is_logged_with_its_client(
    api, access_lines, asked, fields, status
):
    told = b"X-Forwarded-For: 203.0.113.9\r\n"
    answer = await api.send(b"%b\r\nHost: localhost\r\n%b%b\r\n" % (asked, told, fields))
    (line,) = access_lines()
    assert (answer.status, line["client.address"]) == (status, "203.0.113.9")


async def test_a_malformed_head_is_logged_with_the_proxy(api, access_lines):
    head = b"GET / HTTP/1.1\r\nX : a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    assert (await api.send(head)).status == 400
    (line,) = access_lines()
    assert line["client.address"] == "127.0.0.1"
