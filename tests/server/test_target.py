"""Hosts and targets that say the same in other words, and HTTP/1.0, where the target may be all."""

import pytest
from server.test_framing import head, status


@pytest.mark.parametrize(
    ("target", "host"),
    [
        *(("http://a:80/", "a"), ("http://a/", "a:80"), ("http://a:/", "A"), ("http://a/", "a:")),
        *(("https://a:443/", "a"), ("http://[::1]:80/", "[::1]"), ("https://a/", "a:443")),
    ],
)
def test_a_default_port_may_be_left_out(target: str, host: str):
    assert head(target=target, host=host).start_line.path == "/"


@pytest.mark.parametrize("target", ["http://a/b", "http://a:81/b", "https://[::1]/b"])
def test_in_http_1_0_the_target_alone_may_name_the_host(target: str):
    found = head(target=target, host=None, version="HTTP/1.0")
    assert found.start_line.path == "/b"
    assert ("Host", target.split("/")[2]) in found.fields


@pytest.mark.parametrize("target", ["http://b/", "http://x@a/", "http:///", "http://a,b/"])
def test_in_http_1_0_a_host_is_compared_all_the_same(target: str):
    assert status(target=target, host="a", version="HTTP/1.0") == 400
    assert target == "http://b/" or status(target=target, host=None, version="HTTP/1.0") == 400


def test_options_of_a_host_alone_are_an_asterisk():
    assert head(target="http://a", method="OPTIONS").start_line.path == "*"
    assert head(target="http://a/", method="OPTIONS").start_line.path == "/"
    assert head(target="http://a?b", method="OPTIONS").start_line.path == "/?b"
