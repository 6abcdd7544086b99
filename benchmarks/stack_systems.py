"""The whole stacks that ``benchmarks.stack`` compares, each under a supervisord of its own.

Ours is what ``run.py up`` starts. The founding article's last one has the same supervisord and the
same nginx in front of as many gunicorn workers. Both use MongoDB and Redis of the benchmark. The
yardstick is the same again in front of as many nginx that serve the first page from a file.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from app.node.layout import Layout, NodeError
from app.node.nginx import Ports, make_certificate, write_configuration
from app.node.ports import require_free
from app.program import CONF, RELEASE
from benchmarks.cache_backends import Backends
from benchmarks.cache_servers import check_page, wait_for_hits
from benchmarks.http_machine import BenchmarkError, find_program
from benchmarks.http_servers import ANSWER_DEADLINE_SECONDS, Command, gunicorn, nginx
from benchmarks.peers import todo_page

OURS = "ours"
ARTICLE = "article"
STATIC = "static"
TITLES = {
    OURS: "ours",
    ARTICLE: "Flask on gunicorn + gevent (the article's)",
    STATIC: "nginx, static file",
}

_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to clients."""

_PROGRAM = """\
[program:service-{port}]
command = {command}
directory = {folder}
redirect_stderr = true
stdout_logfile = %(here)s/../../log/service-{port}.log
"""


@contextmanager
def running(name: str, processes: int, backends: Backends, folder: Path) -> Iterator[int]:
    """Run a stack until the block is left; give nginx's port once all processes answer.

    Args:
        name: one of `TITLES`.
        processes: of the service.
        backends: where its todos are.
        folder: to be made, for the node.

    Raises:
        BenchmarkError: it does not come up.
    """
    backends.restore()
    port = _free_row(processes + 4)
    services = range(port + 3, port + 3 + processes)
    nginx_ports = Ports(port, port + 1, port + 2)
    try:
        if name == OURS:
            _start_ours(folder, nginx_ports, services, backends)
        else:
            found = backends.todos.find(sort=todo_page.NEWEST_FIRST, limit=todo_page.PAGE_TODOS)
            page = todo_page.render(found)
            server = gunicorn("todo_flask") if name == ARTICLE else nginx(page, access_log=True)
            _start_others(folder, nginx_ports, services, server)
        for number in (*services, port):
            _wait_for_page(number)
        if name == OURS:
            for number in services:
                wait_for_hits(number)
        yield port
    finally:
        _run(sys.executable, "run.py", "down", f"--node={folder}")


def _start_ours(folder: Path, nginx_ports: Ports, services: range, backends: Backends) -> None:
    http, tls, redirect = nginx_ports
    _run(
        *(sys.executable, "run.py", "up", f"--node={folder}", f"--processes={len(services)}"),
        *(f"--port={http}", f"--tls-port={tls}", f"--redirect-port={redirect}"),
        f"--first-port={services.start}",
        *(f"--mongo-uri={backends.mongo_uri}", f"--redis-url={backends.redis_url}"),
    )


def _start_others(folder: Path, nginx_ports: Ports, services: range, server: Command) -> None:
    layout = Layout(folder)
    for needed in (layout.programs, layout.log, layout.run):
        needed.mkdir(parents=True)
    for name in ("supervisord.conf", "start-nginx", "programs/nginx.conf"):
        shutil.copyfile(CONF / name, layout.conf / name)
    write_configuration(layout.conf / "nginx", ports=nginx_ports, app_ports=services)
    make_certificate(layout.conf / "nginx")
    for port in services:
        own = folder / f"service-{port}"
        own.mkdir()
        text = _PROGRAM.format(port=port, command=" ".join(server(port, own)), folder=RELEASE)
        (layout.programs / f"service-{port}.conf").write_text(text, encoding="utf-8")
    _run(sys.executable, "-m", "supervisor.supervisord", "-c", os.fspath(layout.supervisord))


def _run(*command: str) -> None:
    nginx = Path(find_program("nginx")).parent
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(nginx)])
    finished = subprocess.run(  # noqa: S603 - ours.
        command,
        cwd=RELEASE,
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    if finished.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)}: {finished.stderr[-1000:]}")


def _wait_for_page(port: int) -> None:
    deadline = time.monotonic() + ANSWER_DEADLINE_SECONDS
    while True:
        try:
            check_page(port)
        except (OSError, HTTPException) as error:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"no answer on port {port}") from error
            time.sleep(0.05)
        else:
            return


def _free_row(length: int) -> int:
    while True:
        first = random.choice(_PORTS)  # noqa: S311 - no secret.
        if all(_is_free(port) for port in range(first, first + length)):
            return first


def _is_free(port: int) -> bool:
    try:
        require_free(port)
    except NodeError:
        return False
    return True
