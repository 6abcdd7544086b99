"""Asks each program of a node whether it answers, whatever supervisord says of it."""

import http.client
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.node.layout import Layout, member_name, process_name
from app.node.replica_set import roles
from app.node.rolling import ask
from app.node.supervisor import Process

_ANSWER_SECONDS = 2.0
"""A program of this machine answers in milliseconds."""

_LISTEN = re.compile(r"^listen (?:([\d.]+):)?(\d+)\b", re.MULTILINE)


class Said(NamedTuple):
    """What a program is found to be."""

    word: str = ""
    """Such as ready or primary; nothing where it only answers."""
    trouble: str = ""
    """Why it is not well."""


def ask_all(layout: Layout, processes: Sequence[Process]) -> Mapping[str, Said]:
    """Ask all programs that run, at once and each within a deadline; return what is said by name.

    Args:
        layout: of the node.
        processes: what supervisord knows.
    """
    questions: dict[str, Callable[[], Said]] = {
        "nginx": partial(_ask_nginx, layout.conf / "nginx/listen_http.conf"),
        "redis": partial(_ask_redis, layout.run / "redis.sock"),
        **{process_name(port): partial(_ask_service, port) for port in layout.ports},
    }
    running = {process.name: process.pid for process in processes if process.pid}
    asked = {name: question for name, question in questions.items() if name in running}
    with ThreadPoolExecutor(len(questions)) as threads:
        futures = {name: threads.submit(question) for name, question in asked.items()}
        members = roles(layout.mongo_ports)
        said = {name: future.result() for name, future in futures.items()}
    for port, role in members.items():
        trouble = "" if role else "neither primary nor secondary"
        said[member_name(port)] = Said(role or "", trouble)
    # Of nginx the workers may go on, for a while.
    for name in filter(lambda name: _is_halted(running[name]), running):
        said[name] = Said(trouble="halted by a signal: SIGCONT lets it go on")
    return said


def _ask_service(port: int) -> Said:
    readiness = ask(port)
    return Said("" if readiness.trouble else "ready", readiness.trouble)


def _ask_nginx(listen: Path) -> Said:
    """Ask on the first address of a file; where it is changed beyond recognition nobody is."""
    found = _LISTEN.search(listen.read_text("utf-8")) if listen.exists() else None
    if found is None:
        return Said()
    host, port = found[1] or "127.0.0.1", int(found[2])
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/nginx_status")
        connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return Said(trouble=f"does not answer on port {port}: {error}")
    finally:
        connection.close()
    return Said()


def _ask_redis(path: Path) -> Said:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            connection.recv(1)
    except OSError as error:
        return Said(trouble=f"does not answer: {error}")
    return Said()


def _is_halted(pid: int) -> bool:
    """Tell whether a process was stopped by a signal: T in proc_pid_stat(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:  # It has ended.
        return False
    return stat.rpartition(")")[2].split()[0] == "T"
