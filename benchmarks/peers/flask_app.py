"""The endpoint in Flask, as a WSGI application."""

from flask import Flask, Response

from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET

application = Flask(__name__)


@application.get(TARGET)
def todos() -> Response:
    """Answer with the ready bytes."""
    return Response(BODY, content_type=CONTENT_TYPE)
