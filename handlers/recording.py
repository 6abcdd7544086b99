"""What is measured and logged of every request, whoever answers it."""

from app import log
from app.metrics import Metrics


def record_request(
    metrics: Metrics,
    *,
    method: str,
    route: str,
    path: str,
    status: int,
    seconds: float | None,
    scheme: str,
    client_address: str,
    request_id: str,
) -> None:
    """Measure an answered request and log its line.

    Args:
        metrics: where it is counted.
        method: the method, empty where none could be read.
        route: the template of the address, ``refused`` where the server refused the request.
        path: the path as it was sent, without the query.
        status: the status code of the answer.
        seconds: from the head of the request to the end of its answer; None where the server
            refused it, whose durations say nothing about the service.
        scheme: http or https.
        client_address: the client's IP address.
        request_id: names the request in the log and in its answer.
    """
    if seconds is None:
        metrics.refused(status)
    else:
        metrics.request(method=method, route=route, status=status, scheme=scheme, seconds=seconds)
    if log.access.disabled:
        return
    fields: dict[str, str | int | float] = {
        "http.request.method": log.shorten(method),
        "http.route": route,
        "url.path": log.shorten(path),
        "http.response.status_code": status,
        "client.address": client_address,
        "request_id": request_id,
    }
    if seconds is not None:
        fields["duration_ms"] = round(seconds * 1000, 3)
    log.access.info("request", extra={"fields": fields})
