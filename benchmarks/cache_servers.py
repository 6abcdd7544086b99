"""The systems that ``benchmarks.cache`` compares: our service, the peers, and nginx."""

import json
import sys
import time
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.cache_backends import WRITTEN, Backends
from benchmarks.http_machine import BenchmarkError
from benchmarks.http_servers import (
    Contender,
    Running,
    ask_twice,
    gunicorn,
    nginx,
    peer_module,
    uvicorn,
)
from benchmarks.peers import todo_page
from benchmarks.peers.body import TARGET

OURS = "ours"
UNLOGGED = "unlogged"
UNPROVED = "unproved"
NGINX = "nginx"
NGINX_UNLOGGED = "nginx-unlogged"
ONLY_HOT = (UNLOGGED, UNPROVED, NGINX, NGINX_UNLOGGED)
"""They read one page: nginx cannot write, the service without its proof would miss the writes."""

TITLES = {
    OURS: "ours, strict",
    UNLOGGED: "ours, access log off",
    UNPROVED: "ours, freshness proof off",
    NGINX: "nginx, static file",
    NGINX_UNLOGGED: "nginx, static file, access log off",
    "flask": "Flask on gunicorn + gevent (the article's)",
    "fastapi": "FastAPI on uvicorn",
    "falcon": "Falcon on uvicorn",
    "sanic": "Sanic",
    "tornado": "stock Tornado",
}
PEER_NAMES = ("flask", "fastapi", "falcon", "sanic", "tornado")
_HITS_SECONDS = 30.0
"""For the first hit: a fresh Redis keeps our service from caching for 7 s."""

_DEEP_START = 9990


def contenders(backends: Backends, page: bytes) -> tuple[Contender, ...]:
    """Return all systems; ``page`` is what nginx serves."""
    return (
        with_cache(backends),
        _ours_as(UNLOGGED, backends, ["run.py", "--no-access-log"]),
        _variant(UNPROVED, backends),
        Contender(NGINX, TITLES[NGINX], "yardstick", nginx(page, access_log=True)),
        Contender(NGINX_UNLOGGED, TITLES[NGINX_UNLOGGED], "yardstick", nginx(page)),
        Contender("flask", TITLES["flask"], "python", gunicorn("todo_flask")),
        Contender("fastapi", TITLES["fastapi"], "python", uvicorn("todo_fastapi")),
        Contender("falcon", TITLES["falcon"], "python", uvicorn("todo_falcon")),
        Contender("sanic", TITLES["sanic"], "python", peer_module("todo_sanic")),
        Contender("tornado", TITLES["tornado"], "tornado", _tornado),
    )


def with_cache(backends: Backends) -> Contender:
    """Return our service as it is by default, with its access log."""
    return _ours_as(OURS, backends, ["run.py"])


def uncached(backends: Backends) -> Contender:
    """Return our service without its cache, which is for the ladder alone."""
    return _variant("uncached", backends)


def _variant(name: str, backends: Backends) -> Contender:
    return _ours_as(name, backends, ["-m", "benchmarks.cache_variant", name])


def _ours_as(name: str, backends: Backends, program: list[str]) -> Contender:
    return Contender(name, TITLES.get(name, name), "ours", partial(_ours, backends, program))


def _ours(backends: Backends, program: list[str], port: int, _folder: Path) -> list[str]:
    addresses = [f"--mongo-uri={backends.mongo_uri}", f"--redis-url={backends.redis_url}"]
    return [sys.executable, *program, f"--port={port}", *addresses]


def _tornado(port: int, _folder: Path) -> list[str]:
    # In our environment: the Tornado and the Motor that our service has.
    return [sys.executable, "-m", "benchmarks.peers.todo_tornado", str(port)]


def seeded_page(backends: Backends, start: int) -> list[dict[str, Any]]:
    """Return a page as it was seeded."""
    found = backends.todos.find(sort=todo_page.NEWEST_FIRST, skip=start, limit=10)
    page: list[dict[str, Any]] = json.loads(todo_page.render(found))["data"]
    return page


def check_page(port: int) -> int:
    """Ask for the list twice and return the size of the head; for `running`."""
    try:
        bodies, head_bytes = ask_twice(port, TARGET)
    except BenchmarkError as error:
        # After a load that was too much for it, a peer fails for a moment: it is asked again.
        raise HTTPException(str(error)) from error
    for body in bodies:
        if len(json.loads(body)["data"]) != todo_page.PAGE_TODOS:
            raise BenchmarkError(f"answered with {body[:200]!r}")
    return head_bytes


def check_contract(contender: Contender, server: Running, backends: Backends) -> None:
    """See that a system reads what was seeded and, where it can, sees its own writes.

    Raises:
        BenchmarkError: it does not.
    """
    for start in (0,) if contender.name in ONLY_HOT else (0, _DEEP_START):
        page = seeded_page(backends, start)
        for body in ask_twice(server.port, f"{TARGET}?start={start}")[0]:
            if json.loads(body)["data"] != page:
                raise BenchmarkError(f"{contender.title}: start={start} gave {body[:200]!r}")
    if contender.name in ONLY_HOT:
        return
    _write(contender, server.port)
    for body in ask_twice(server.port, TARGET)[0]:
        if json.loads(body)["data"][0]["content"] != WRITTEN:
            raise BenchmarkError(f"{contender.title}: a write is not seen: {body[:200]!r}")


def _write(contender: Contender, port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", TARGET, f"content={WRITTEN.replace(' ', '+')}", fields)
        response = connection.getresponse()
        if response.status != 200:
            raise BenchmarkError(f"{contender.title}: POST gave {response.status}")
        if response.read():
            raise BenchmarkError(f"{contender.title}: POST gave a body")
    finally:
        connection.close()


def wait_for_hits(port: int) -> None:
    """Ask our service for the list until it answers from what it keeps.

    Raises:
        BenchmarkError: it takes too long.
    """
    deadline = time.monotonic() + _HITS_SECONDS
    while service_metrics(port)["hits"] == 0:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"our service had no cache hit in {_HITS_SECONDS:.0f} s")
        time.sleep(0.05)
        ask_twice(port, TARGET)


def service_metrics(port: int) -> dict[str, float]:
    """Return our service's counters of hits in the process and of freshness round trips.

    Raises:
        BenchmarkError: it does not count the round trips.
    """
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = {"hits": 0.0}
    hits = {"level": "answers", "outcome": "hit"}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "todo_cache_proof_requests_count":
                found["proofs"] = sample.value
            elif sample.name == "todo_cache_requests_total" and sample.labels == hits:
                found["hits"] = sample.value
    if "proofs" not in found:
        raise BenchmarkError("our service has no metric todo_cache_proof_requests")
    return found
