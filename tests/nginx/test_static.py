"""Static files, and addresses that have moved."""

import gzip
import re

import pytest
from nginx.front import Front, check_problem
from nginx.upstream import Upstream

HASHED = ("app.3f2a9c1b.js", "app-0123456789abcdef.css", "logo.deadbeef.min.svg")
UNHASHED = ("app.js", "app.3f2a9c1.js", "robots.txt", "3f2a9c1b", "app.3f2a9c1b.d/page.html")
FOREVER = "public, max-age=31536000, immutable"


def put(front: Front, name: str, content: bytes = b"content") -> None:
    """Put a file into the node's folder of static files."""
    file = front.static / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@pytest.mark.parametrize("name", HASHED)
def test_a_file_with_a_hash_in_its_name_is_kept_for_ever(front: Front, name: str) -> None:
    put(front, name)
    answer = front.call("GET", f"/static/{name}")
    assert (answer.status, answer.body) == (200, b"content")
    assert answer.headers.get_all("Cache-Control") == [FOREVER]


@pytest.mark.parametrize("name", UNHASHED)
def test_of_another_file_clients_ask_whether_it_has_changed(front: Front, name: str) -> None:
    put(front, name)
    answer = front.call("GET", f"/static/{name}")
    assert answer.headers.get_all("Cache-Control") == ["no-cache"]
    known = front.call("GET", f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status, known.body) == (304, b"")
    assert known.headers["Cache-Control"] == "no-cache"


def test_a_file_has_its_media_type_and_fields_that_bind_it_to_its_origin(front: Front) -> None:
    put(front, "page.html")
    answer = front.call("GET", "/static/page.html", headers={"X-Request-Id": "of-a-page"})
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Request-Id"] == "of-a-page"


def test_a_file_that_was_compressed_before_is_sent_so(front: Front) -> None:
    put(front, "big.js", b"plain")
    put(front, "big.js.gz", gzip.compress(b"packed"))
    answer = front.call("GET", "/static/big.js", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.body) == b"packed"
    assert front.call("GET", "/static/big.js").body == b"plain"


def test_of_two_that_were_compressed_brotli_is_preferred(front: Front) -> None:
    for name, content in (("two.js", b"plain"), ("two.js.gz", b"1"), ("two.js.br", b"packed")):
        put(front, name, content)
    answer = front.call("GET", "/static/two.js", headers={"Accept-Encoding": "gzip, br"})
    assert (answer.headers["Content-Encoding"], answer.body) == ("br", b"packed")


@pytest.mark.parametrize(
    "path",
    ["none.js", "", "folder", "folder/", ".git/config", ".env", "folder/.htpasswd", "%2eenv"],
)
def test_what_is_no_file_for_everybody_is_not_found(front: Front, path: str) -> None:
    for name in ("folder/file", ".git/config", ".env", "folder/.htpasswd"):
        put(front, name)
    check_problem(front.call("GET", f"/static/{path}"), 404, kind="/problems/not-found")


@pytest.mark.parametrize(
    "path", ["../conf/nginx/certificate.key", "%2e%2e/conf/nginx/certificate.key", "..%2frun"]
)
def test_nothing_outside_of_the_folder_is_served(front: Front, path: str) -> None:
    answer = front.send(f"GET /static/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.status == 404
    assert b"PRIVATE" not in answer.body


def test_a_file_is_only_read(front: Front) -> None:
    put(front, "app.js")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = front.call(method, "/static/app.js", body=b"x")
        check_problem(answer, 405, kind="/problems/method-not-allowed")
        assert answer.headers["Allow"] == "GET, HEAD"


def test_a_file_is_sent_whole_whatever_range_is_asked_for(front: Front) -> None:
    put(front, "app.js")
    for asked in ("bytes=1-2", "bytes=99-"):
        answer = front.call("GET", "/static/app.js", headers={"Range": asked})
        assert (answer.status, answer.body) == (200, b"content")


def test_a_file_that_is_another_than_was_meant(front: Front) -> None:
    put(front, "app.js")
    check_problem(front.call("GET", "/static/app.js", headers={"If-Match": '"other"'}), 412)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/todos", "/v1/todos"),
        ("/todos?limit=5&cursor=a%2Fb", "/v1/todos?limit=5&cursor=a%2Fb"),
        ("/todos/0123456789abcdef01234567", "/v1/todos/0123456789abcdef01234567"),
        ("/todos/0123456789abcdef01234567?x", "/v1/todos/0123456789abcdef01234567?x"),
    ],
)
def test_an_old_address_leads_to_the_new_one_with_its_method(
    front: Front, method: str, old: str, new: str
) -> None:
    answer = front.call(method, old, body=b"")
    assert answer.status == 308
    assert answer.headers["Location"] == new
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "target", ["/todos/", "/todos/x", "/todos/%0d%0aSet-Cookie:%20a", "/todosx", "//todos"]
)
def test_what_never_was_an_address_is_passed_on(
    fronted: Front, upstream: Upstream, target: str
) -> None:
    assert fronted.call("GET", target).status == 200
    assert upstream.taken[0].target == target


def test_the_redirect_port_leads_to_https(front: Front) -> None:
    for method in ("GET", "POST"):
        answer = front.call(
            method,
            "/v1/todos?a=%20//b",
            headers={"Host": "todo.example:81"},
            port=front.ports.redirect,
        )
        assert answer.status == 308
        expected = f"https://todo.example:{front.ports.tls}/v1/todos?a=%20//b"
        assert answer.headers["Location"] == expected
        assert answer.headers["Strict-Transport-Security"] is None
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_the_redirect_port_tells_problems_too(front: Front) -> None:
    answer = front.send(b"GET / HTTP/1.1\r\n\r\n", port=front.ports.redirect)
    check_problem(answer, 400, kind="/problems/malformed-request")
