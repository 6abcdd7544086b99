"""An HTTP/1.1 server for Tornado applications: fast, strict and bounded.

`Server` takes the place of `tornado.httpserver.HTTPServer` and serves a `tornado.web.Application`
as it is: streaming in both directions with backpressure, WebSockets, TLS, Unix sockets. It runs on
uvloop or on asyncio's own loop, whichever is running::

    import asyncio
    from tornado.web import Application, RequestHandler
    from app.httpserver import Server

    class Hello(RequestHandler):
        def get(self):
            self.write("hello")

    async def main():
        server = Server(Application([("/", Hello)]))
        server.listen(8000)
        try:
            await asyncio.Event().wait()
        finally:
            await server.drain(seconds=10)

    asyncio.run(main())

What it does that Tornado's own server does not:

- It is faster: 2.0 to 2.8 times Tornado's requests per second were measured with the same handlers
  (docs/benchmarks has the last run and its spread), for the parsing is done in a few
  regular expressions and not at all for a head it has seen before, and the server itself makes no
  task and no timer per request.
- It reads strictly: what two parsers could understand differently is refused (`head`, `framing`,
  `chunked`), and everything has a limit with a reason (`Options`).
- **Ready answers**: a function may answer a request from its head with bytes that were prepared
  before, in a fraction of the time that a RequestHandler takes (`Answer`, `ReadyRequest`)::

    hello = Answer.build(HTTPStatus.OK, [("Content-Type", "text/plain")], b"hello")
    answers = {ReadyRequest("GET", "/", ()): hello}
    server = Server(application, ready=answers.get)

  It returns an answer, a `Later` where that is to come, or None for what the application shall
  answer.

What `HTTPServer` calls otherwise: ``xheaders`` and ``trusted_downstream`` are
`Options.trusted_proxies`, ``protocol`` is `Options.scheme`, ``max_header_size`` is
`Options.max_fields_bytes`, ``max_body_size`` is `Options.max_body_bytes`, ``body_timeout`` and
``idle_connection_timeout`` are `Options.body_seconds` and `Options.idle_seconds`.

What is stricter, or not there: methods beside the usual seven must be among `Options.methods`, a
body may have 1 MiB, `Server.listen` takes loopback unless it is told otherwise, and ``X-Real-Ip``
and ``X-Scheme`` are not believed. Compressed requests, ``write`` before ``write_headers``, a
handler's own Transfer-Encoding, plain callables as applications and forking (``start(n)``) are not
served; ``request.connection.stream`` knows ``socket`` (of TLS), ``closed`` and ``close`` alone.

How to read it: `head`, `framing`, `chunked`, `body` and `encoding` decide about bytes and do no
I/O. `Connection` is one client, on the socket's side a `Channel`, and between the two the
`ReadyChannel` that asks the ready function; `Later` is its answer to come. `Exchange` is one
request, and on the other side the `Response` that a RequestHandler writes to. `Clock` holds all
deadlines.
"""

from app.httpserver.answer import Answer, Ready, Refuse, plain_refusal
from app.httpserver.context import Context
from app.httpserver.framing import MayBeReady, ReadyRequest
from app.httpserver.later import Later
from app.httpserver.options import METHODS, Options
from app.httpserver.refusal import Refusal
from app.httpserver.server import Server, Statistics

__all__ = [
    "METHODS",
    "Answer",
    "Context",
    "Later",
    "MayBeReady",
    "Options",
    "Ready",
    "ReadyRequest",
    "Refusal",
    "Refuse",
    "Server",
    "Statistics",
    "plain_refusal",
]
