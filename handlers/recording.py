"""What is measured and logged of every request, whoever answers it."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app import log
from app.httpserver import Later
from app.metrics import Metrics
from handlers.problems import RequestProblem

_log = logging.getLogger(__name__)


class Answered(NamedTuple):
    """What a request was and how it was answered, as far as it can be the same for several."""

    method: str
    """The method, empty where none could be read."""

    route: str
    """The template of the address, ``refused`` where the server refused the request."""

    path: str
    """The path as it was sent, without the query."""

    status: int
    """The status code of the answer."""

    scheme: str
    """http or https."""

    seconds: float | None
    """From the head of the request to the end of its answer; None where the server refused it,
    whose durations say nothing about the service."""


def record_requests(
    metrics: Metrics, answered: Answered, count: int, clients: Iterable[tuple[str, str]]
) -> None:
    """Measure answered requests and log their lines.

    Args:
        metrics: where they are counted.
        answered: what they were.
        count: how many there were.
        clients: for each the client's IP address and the id by which the log and the answer name
            the request; read only where requests are logged.
    """
    method, route, path, status, scheme, seconds = answered
    if seconds is None:
        metrics.refused(status)
    else:
        metrics.requests(
            count, method=method, route=route, status=status, scheme=scheme, seconds=seconds
        )
    log.access.requests(
        clients, method=method, route=route, path=path, status=status, seconds=seconds
    )


def record_later(metrics: Metrics, answered: Answered, later: Later, ids: Sequence[bytes]) -> None:
    """Measure and log requests before they are answered together; see `record_requests`."""
    clients: list[tuple[str, str]] = []
    if log.access.is_on:
        contexts = zip(later.contexts, ids, strict=True)
        clients = [(context.remote_ip, an_id.decode()) for context, an_id in contexts]
    record_requests(metrics, answered, later.clients, clients)


def log_if_fault(
    metrics: Metrics, route: str, problem: RequestProblem, error: BaseException | None
) -> None:
    """Log faults of ours with their stack; other problems have their access line."""
    if problem.code == "internal-error":
        metrics.fault()
        _log.error("fault in %s", route, exc_info=error)
