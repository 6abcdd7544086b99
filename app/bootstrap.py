"""Puts the parts together: the only module that imports handlers."""

from time import time

from app.metrics import Metrics
from app.resources import Resources
from app.services.health import Backend, HealthService
from app.services.ports import Clock
from app.services.todos import TodoService
from app.settings import Settings
from app.storage.operations import Operations
from app.storage.todos import MongoTodoRepository
from handlers import ROUTES
from handlers.application import TodoApplication
from handlers.base import Dependencies
from handlers.openapi import build_document


def make_repository(
    settings: Settings, resources: Resources, metrics: Metrics
) -> MongoTodoRepository:
    """Return the repository of todos behind the gate that the settings describe."""
    operations = Operations(
        concurrent=settings.mongo_pool_size,
        waiting_limit=settings.mongo_waiting_limit,
        deadline_seconds=settings.mongo_operation_seconds,
        metrics=metrics,
    )
    return MongoTodoRepository(resources.todos, operations)


def make_health(
    settings: Settings,
    resources: Resources,
    repository: MongoTodoRepository,
) -> HealthService:
    """Return the health service that asks the servers behind the resources.

    Args:
        settings: the deadline of a check.
        resources: the connections; Redis may be missing and may be away.
        repository: what must answer for this process to be ready.
    """
    backends = [Backend("mongodb", repository.ping, required=True)]
    if resources.redis is not None:
        # Without Redis everything is answered from MongoDB: slower, and right.
        backends.append(Backend("redis", resources.redis.ping, required=False))
    return HealthService(backends, deadline_seconds=settings.ready_timeout_seconds)


def make_application(
    settings: Settings,
    *,
    repository: MongoTodoRepository,
    health: HealthService,
    metrics: Metrics,
    clock: Clock = time,
) -> TodoApplication:
    """Return the application, ready to be served."""
    dependencies = Dependencies(
        todos=TodoService(repository, clock),
        health=health,
        metrics=metrics,
        openapi=build_document(ROUTES),
        max_start=settings.max_start,
        retry_after_seconds=settings.retry_after_seconds,
    )
    return TodoApplication(ROUTES, dependencies)
