"""``GET /`` tells what is here, to programs and to people."""

import re

import pytest

from handlers.index import quality

pytestmark = pytest.mark.gen_test

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        *("*/*", "application/json", "", "image/png", "text/html;q=0", "text/*;q=0.5, */*"),
        *(
            "text/html;q=0.5, application/json",
            "text/html;q=2",
            "junk",
            "application/json, text/html",
        ),
    ],
)
async def test_programs_get_the_addresses_as_json(api, accept):
    answer = await api.call("GET", "/", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Link"] == '</openapi.json>; rel="service-desc"'


async def test_without_accept_it_is_json(api):
    answer = await api.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "accept", [BROWSER, "text/html", "text/*", "Text/HTML;q=0.9, application/json;q=0.8"]
)
async def test_browsers_get_a_page(api, accept):
    answer = await api.call("GET", "/", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_every_address_told_answers(api):
    addresses = [one for one in (await api.call("GET", "/")).json().values() if one[0] == "/"]
    page = await api.call("GET", "/", headers={"Accept": BROWSER})
    assert re.findall(r'href="([^"]+)"', page.body.decode()) == addresses
    for address in addresses:
        assert (await api.call("GET", address)).status == 200


async def test_each_form_has_a_tag_of_its_own(api):
    tags = set()
    for accept in ("text/html", "application/json"):
        tag = (await api.call("GET", "/", headers={"Accept": accept})).headers["ETag"]
        again = await api.call("GET", "/", headers={"Accept": accept, "If-None-Match": tag})
        assert (again.status, again.headers["Vary"]) == (304, "Accept")
        tags.add(tag)
    assert len(tags) == 2


async def test_an_address_where_nothing_is_says_where_the_addresses_are(api):
    for target in ("/nowhere", "/v1", "/v1/todo", "/problems/junk"):
        answer = await api.call("GET", target)
        assert (answer.status, "/openapi.json" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        *(("text/html", 1), ("text/*;q=0.5", 0.5), ("*/*;q=0.1, text/html;q=0.7, text/*", 0.7)),
        *(("text/html;level=1;q=0.4", 0.4), ("text/plain", 0), ("", 0), ("text/html;q=0.1234", 0)),
        *(("*/*;q=1.000", 1), ("text/html;q=-1", 0), (",,text/html;Q=0.2", 0.2)),
    ],
)
async def test_the_most_specific_range_decides_how_much_a_media_type_is_wanted(accept, wanted):
    assert quality(accept, "text/html") == wanted
