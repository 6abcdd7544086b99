"""The whole service once more, on the test's own loop: another process, as far as it can tell."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api import Api
from tornado.testing import bind_unused_port

from app.bootstrap import make_application, make_cache, make_health, make_repository
from app.domain.todo import PUBLIC_OWNER
from app.httpserver import Server
from app.metrics import Metrics
from app.resources import open_resources
from app.services.freshness import OperationTime
from app.serving import make_server
from app.settings import Settings
from handlers.application import TodoApplication


@dataclass(frozen=True)
class Process:
    """What a test looks at of a process."""

    api: Api
    app: TodoApplication
    server: Server
    metrics: Metrics


@asynccontextmanager
async def open_process(
    settings: Settings, *, mongo_uri: str, redis_url: str | None
) -> AsyncIterator[Process]:
    """Serve on a free port until the block is left."""
    metrics, operation_time = Metrics(), OperationTime()
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url) as resources:
        repository = make_repository(settings, resources, metrics, operation_time)
        await repository.prepare(owner=PUBLIC_OWNER)
        cache = make_cache(settings, resources, metrics, operation_time)
        app = make_application(
            settings,
            repository=repository,
            cache=cache,
            health=make_health(settings, repository, cache),
            metrics=metrics,
        )
        server = make_server(settings, app, metrics)
        listening, port = bind_unused_port()
        server.add_sockets([listening])
        api = Api(port)
        try:
            yield Process(api, app, server, metrics)
        finally:
            api.close()
            server.stop()
            await server.close_all_connections()
