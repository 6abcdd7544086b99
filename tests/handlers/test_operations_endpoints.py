"""What every address owes, and what operators ask for."""

import json
import re

import pytest
from tornado import version as tornado_version

from app import __version__
from app.metrics import METHODS
from handlers import ROUTES
from handlers.openapi import build_document
from handlers.problems import PROBLEMS

pytestmark = pytest.mark.gen_test

UNKNOWN_ID = "0123456789abcdef01234567"
NOWHERE = [
    *("/v1", "/v1/", "/v1/todos/", "/todo/", "/todo/a/finish/", "/v1/todos/a/b", "/V1/todos"),
    *("//v1/todos", "/%761/todos", "/v1/todos;x=1", "/../etc/passwd", "/%00", "/%FF", "/problems"),
    *("/openapi.yaml", "/openapiXjson", "/metrics/"),
]


def addresses():
    """Yield a template and an address for each route."""
    for route in ROUTES:
        address = re.sub(r"\{todo_id\}", UNKNOWN_ID, route.template)
        yield pytest.param(address.replace("{code}", "not-found"), route, id=route.template)


# --- Health


async def test_a_live_process_says_so(api):
    answer = await api.call("GET", "/livez")
    assert (answer.status, answer.json()["status"]) == (200, "pass")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_ready_process_names_its_backends(api):
    answer = await api.call("GET", "/readyz")
    checks = answer.json()["checks"]
    assert (answer.status, answer.json()["status"]) == (200, "pass")
    assert set(checks) == {"mongodb:responseTime", "redis:responseTime"}
    assert {check["status"] for (check,) in checks.values()} == {"pass"}
    assert not any("output" in check for (check,) in checks.values())


@pytest.mark.parametrize("redis_url", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock"])
async def test_a_process_without_its_redis_is_ready_with_a_warning(api, expect_log):
    expect_log("Redis is away, everything comes from MongoDB")
    expect_log("redis is not well: not connected")
    answer = await api.call("GET", "/readyz")
    (check,) = answer.json()["checks"]["redis:responseTime"]
    assert (answer.status, answer.json()["status"], check["status"]) == (200, "warn", "warn")
    assert check["output"].startswith("not connected: ")
    assert "127.0.0.1" not in check["output"]
    assert "nowhere" not in check["output"]


@pytest.mark.parametrize("redis_url", [None])
async def test_a_process_that_uses_no_redis_does_not_miss_it(api):
    answer = await api.call("GET", "/readyz")
    assert (answer.status, answer.json()["status"]) == (200, "pass")
    assert set(answer.json()["checks"]) == {"mongodb:responseTime"}


@pytest.mark.parametrize("is_prepared", [False])
async def test_a_process_whose_storage_is_not_prepared_is_alive_but_not_ready(
    api, settings, expect_log
):
    expect_log("mongodb is not well: the indexes are not in place yet")
    answer = await api.call("GET", "/readyz")
    (check,) = answer.json()["checks"]["mongodb:responseTime"]
    assert (answer.status, answer.json()["status"], check["status"]) == (503, "fail", "fail")
    assert check["output"] == "the indexes are not in place yet"
    assert answer.headers["Retry-After"] == str(settings.retry_after_seconds)
    assert (await api.call("GET", "/livez")).status == 200


async def test_a_draining_process_is_not_ready(api, health):
    health.draining = True
    answer = await api.call("GET", "/readyz")
    assert (answer.status, answer.json()["status"]) == (503, "fail")


# --- Metrics, version, description


async def test_requests_are_counted_by_route_and_known_method(api):
    await api.call("GET", f"/v1/todos/{UNKNOWN_ID}")
    await api.call("GET", "/v1/todos/somewhere-else")
    await api.call("BREW", "/todo")
    await api.call("PUT", "/never/heard/of")
    answer = await api.call("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    counts = set(re.findall(r"_duration_seconds_count\{(http\S+)\} (\S+)", answer.body.decode()))
    form = 'http_request_method="{}",http_response_status_code="{}",http_route="{}"'
    assert counts == {
        (form.format(*labels) + ',url_scheme="http"', number)
        for *labels, number in (
            ("GET", 404, "/v1/todos/{todo_id}", "2.0"),
            ("PUT", 404, "unknown", "1.0"),
        )
    }
    assert "http_server_active_requests 1.0\n" in answer.body.decode()


async def test_nothing_of_a_client_becomes_a_label(api):
    await api.call("SECRET", "/secret?secret=secret", headers={"X-Request-Id": "secret"})
    assert b"secret" not in (await api.call("GET", "/metrics")).body.lower()


async def test_the_version_tells_what_is_running(api):
    version = (await api.call("GET", "/version")).json()
    assert (version["name"], version["version"]) == ("tornado-todo", __version__)
    assert version["tornado"] == tornado_version


async def test_the_api_describes_itself(api):
    answer = await api.call("GET", "/openapi.json")
    assert (answer.status, answer.body) == (200, build_document(ROUTES))


@pytest.mark.parametrize("code", PROBLEMS)
async def test_the_type_of_a_problem_is_the_address_of_its_explanation(api, code):
    answer = await api.call("GET", f"/problems/{code}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert PROBLEMS[code].advice in answer.body.decode()


# --- Addresses and methods


@pytest.mark.parametrize("target", NOWHERE)
async def test_an_address_that_does_not_exist_is_404_for_every_method(api, target):
    for method in sorted(METHODS):
        answer = await api.call(method, target)
        assert (answer.status, "Allow" in answer.headers) == (404, False)


async def test_a_problem_that_does_not_exist_is_404(api):
    assert (await api.call("GET", "/problems/nothing")).status == 404


@pytest.mark.parametrize(("address", "route"), addresses())
async def test_a_method_that_an_address_lacks_is_405_with_those_it_has(api, address, route):
    allowed = route.handler.allowed_methods()
    for method in sorted(METHODS - {*allowed}):
        answer = await api.call(method, address)
        assert answer.status == 405
        assert answer.headers["Allow"] == ", ".join(allowed)


async def test_options_of_everything_tells_the_methods_there_are(api):
    answer = await api.send(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.status == 204
    assert {*answer.headers["Allow"].split(", ")} == METHODS


@pytest.mark.parametrize(("address", "route"), addresses())
async def test_a_method_that_no_address_has_is_501(api, address, route):
    for method in ("BREW", "get", "PROPFIND"):
        answer = await api.call(method, address)
        assert (answer.status, answer.json()["type"]) == (501, "/problems/not-implemented")
        assert "Allow" not in answer.headers


@pytest.mark.parametrize(("address", "route"), addresses())
async def test_options_tells_the_methods_of_an_address(api, address, route):
    answer = await api.call("OPTIONS", address)
    assert answer.status == 204
    assert answer.headers["Allow"] == ", ".join(route.handler.allowed_methods())


async def test_options_tells_what_bodies_are_read(api):
    assert (await api.call("OPTIONS", "/v1/todos")).headers["Accept-Post"] == "application/json"
    form = "application/x-www-form-urlencoded, multipart/form-data"
    assert (await api.call("OPTIONS", "/todo")).headers["Accept-Post"] == form
    headers = (await api.call("OPTIONS", f"/v1/todos/{UNKNOWN_ID}")).headers
    assert headers["Accept-Patch"] == "application/merge-patch+json, application/json"


# --- Request ids and the access log


@pytest.mark.parametrize("given", ["a", "A-z.0_9:/+=@", "x" * 128])
async def test_a_request_id_that_is_fit_for_logs_is_kept(api, given):
    answer = await api.call("GET", "/nowhere", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given
    assert answer.json()["instance"] == f"urn:request:{given}"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<a>", '"', "a,b", "é", "a%0Ab", "{}"])
async def test_any_other_request_id_is_replaced(api, given):
    first = await api.call("GET", "/nowhere", headers={"X-Request-Id": given})
    second = await api.call("GET", "/nowhere", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{16}", first.headers["X-Request-Id"])
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def test_a_request_has_one_line_in_the_access_log(api, access_lines):
    target = f"/v1/todos/{UNKNOWN_ID}?secret=1"
    await api.call("DELETE", target, headers={"X-Request-Id": "abc", "User-Agent": "x" * 8000})
    (line,) = access_lines()
    assert line.pop("duration_ms") >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "logger": "access",
        "event": "request",
        "http.request.method": "DELETE",
        "http.route": "/v1/todos/{todo_id}",
        "url.path": f"/v1/todos/{UNKNOWN_ID}",
        "http.response.status_code": 400,
        "client.address": "127.0.0.1",
        "request_id": "abc",
    }


async def test_what_clients_can_choose_is_cut_in_the_access_log(api, access_lines):
    await api.send(b"M" * 300 + b" /" + b"%1B" * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    (line,) = access_lines()
    assert line["url.path"] == ("/" + "%1B" * 1000)[:200] + "…"
    assert line["http.request.method"] == "M" * 200 + "…"


# --- Faults


async def test_a_fault_is_500_and_shows_nothing_of_itself(api, resources, http_client, expect_log):
    expect_log("fault in /v1/todos")
    await resources.todos.insert_one({"owner": "public", "created_at": 1.0})  # Nothing else.
    url = f"http://127.0.0.1:{api.port}/v1/todos"
    answer = await http_client.fetch(url, raise_error=False)
    problem = json.loads(answer.body)
    assert (answer.code, problem["type"]) == (500, "/problems/internal-error")
    assert problem["instance"] == f"urn:request:{answer.headers['X-Request-Id']}"
    assert problem["detail"] == "Something went wrong on our side."
    assert b"todo_faults_total 1.0\n" in (await api.call("GET", "/metrics")).body
