"""The endpoint as a bare ASGI callable: no framework, no routing, the least a server can run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.peers.body import BODY, CONTENT_TYPE

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(BODY)).encode()),
    ],
}
_BODY = {"type": "http.response.body", "body": BODY}

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def application(scope: Mapping[str, Any], _receive: object, send: Send) -> None:
    """Answer any request with the ready bytes."""
    if scope["type"] != "http":
        raise ValueError(f"this application serves http only, not {scope['type']}")
    await send(_START)
    await send(_BODY)
