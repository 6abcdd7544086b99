"""The todo service in Flask, the article's final stack: gunicorn, gevent, PyMongo, redis-py."""

from flask import Flask, Response, request
from pymongo import MongoClient
from redis import Redis

from benchmarks.peers.body import CONTENT_TYPE, TARGET
from benchmarks.peers.todo_page import (
    COLLECTION,
    DATABASE,
    DURABLE,
    NEWEST_FIRST,
    PAGE_TODOS,
    PAGES,
    PAGES_SECONDS,
    REDIS_CONNECTIONS,
    mongo_uri,
    new_document,
    parse_start,
    redis_url,
    render,
)

application = Flask(__name__)
todos = MongoClient(mongo_uri(), **DURABLE)[DATABASE][COLLECTION]
cache = Redis.from_url(redis_url(), max_connections=REDIS_CONNECTIONS)


@application.get(TARGET)
def list_todos() -> Response:
    """Answer with ten todos after skipping ``start``."""
    start = parse_start(request.args.get("start", "0"))
    page = cache.hget(PAGES, str(start))
    if page is None:
        page = render(todos.find().sort(NEWEST_FIRST).skip(start).limit(PAGE_TODOS))
        cache.hset(PAGES, str(start), page)
        cache.expire(PAGES, PAGES_SECONDS)
    return Response(page, content_type=CONTENT_TYPE)


@application.post(TARGET)
def add_todo() -> Response:
    """Store the form's ``content`` as a new todo."""
    todos.insert_one(new_document(request.form["content"]))
    cache.delete(PAGES)
    return Response()
