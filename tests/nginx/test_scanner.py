"""Somebody who asks for what is not there costs nobody else a request.

nginx keeps connections to the service, and shares them among all its clients. If one ends behind an
answer that has not said so, the next POST on it is lost: nginx does not send it twice.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from threading import Event

from nginx.front import Front

POSTS = 5_000
CLIENTS = 8
SCANNERS = 2
SCANNED = (
    *((method, "/nope") for method in ("POST", "PUT", "PATCH", "DELETE", "GET")),
    *(("PUT", "/v1/todos"), ("POST", "/livez"), ("PATCH", "/todo"), ("FROB", "/"), ("TRACE", "/")),
    *(("POST", "/.env"), ("POST", "/v1/todos")),
)
BODIES = (b"", b"x" * 100, b"x" * 60_000, b"x" * 70_000)
GOOD = json.dumps({"content": "buy milk"}).encode()


def scan(front: Front, stop: Event) -> Counter[int]:
    """Send what is refused until told to stop; return the statuses of the answers."""
    seen: Counter[int] = Counter()
    for (method, target), body in itertools.cycle(itertools.product(SCANNED, BODIES)):
        if stop.is_set():
            return seen
        seen[front.call(method, target, body=body, headers={"Content-Type": "a/b"}).status] += 1
    raise AssertionError


def statuses(connection: HTTPConnection, posts: int) -> Iterator[int]:
    """Add todos over one connection; give the statuses of the answers."""
    for _ in range(posts):
        connection.request("POST", "/v1/todos", GOOD, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        yield response.status


def post_all(front: Front) -> Counter[int]:
    with closing(front.connection()) as connection:
        return Counter(statuses(connection, POSTS // CLIENTS))


def test_a_scanner_costs_other_clients_no_request(front: Front) -> None:
    stop = Event()
    with ThreadPoolExecutor(CLIENTS + SCANNERS) as threads:
        scanning = [threads.submit(scan, front, stop) for _ in range(SCANNERS)]
        try:
            posting = [threads.submit(post_all, front) for _ in range(CLIENTS)]
            posted = sum((each.result() for each in posting), Counter[int]())
        finally:
            stop.set()
        scanned = sum((each.result() for each in scanning), Counter[int]())
    assert posted == {201: POSTS}
    assert {404, 405, 413, 415, 501} == set(scanned)
