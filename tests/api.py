"""A client that holds every answer it sees against the contract."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from contract import check_answer
from ends import check_goes_on
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: HTTPHeaders
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def wrong(self) -> tuple[str | None, str]:
        """Return the place (pointer, parameter or header) and the code of the only field error."""
        (error,) = self.json()["errors"]
        places = [error[name] for name in ("pointer", "parameter", "header") if name in error]
        return (places[0] if places else None), error["code"]


class Api:
    """Calls a server on loopback; needs a running event loop."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._client = AsyncHTTPClient(force_instance=True)

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    async def call(
        self,
        method: str,
        target: str,
        *,
        json_body: Any = None,
        form: str | bytes | None = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return the answer, checked.

        Args:
            method: any token.
            target: path and query.
            json_body: sent as JSON (a merge patch for PATCH).
            form: an encoded form.
            body: sent as it is.
            headers: header fields; they win over those that the bodies bring.
        """
        fields = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body)
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            fields.setdefault("Content-Type", kind)
        if form is not None:
            body = form
            fields.setdefault("Content-Type", "application/x-www-form-urlencoded")
        response = await self._client.fetch(
            HTTPRequest(
                f"http://127.0.0.1:{self.port}{target}",
                method=method,
                headers=fields,
                body=body,
                allow_nonstandard_methods=True,
                follow_redirects=False,
                decompress_response=False,
            ),
            raise_error=False,
        )
        if response.code == 599:
            raise ConnectionError(str(response.error))
        check_answer(method, target, response.code, response.headers, response.body)
        return Answer(response.code, response.headers, response.body)

    async def send(self, request: bytes) -> Answer:
        """Send bytes on a connection of their own and return the answer, checked.

        An answer that says ``Connection: close`` must be followed by the end of the connection, and
        no other one may.
        """
        method, target, *_ = request.decode("latin-1").split(" ", 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start_line, _, fields = head.partition("\r\n")
            status, headers = int(start_line.split(" ")[1]), HTTPHeaders.parse(fields)
            length = 0 if method == "HEAD" else int(headers.get("Content-Length", "0"))
            body = await reader.readexactly(length)
            if headers.get("Connection") == "close":
                # A server that closes with bytes of ours unread resets the connection.
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            else:
                await check_goes_on(reader)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        check_answer(method, target, status, headers, body)
        return Answer(status, headers, body)

    async def add(self, content: str = "buy milk") -> dict[str, Any]:
        """Add a todo and return it."""
        answer = await self.call("POST", "/v1/todos", json_body={"content": content})
        assert answer.status == 201
        todo: dict[str, Any] = answer.json()
        return todo
