"""The endpoint in FastAPI, without its documentation pages: they stand before it in the routes."""

from fastapi import FastAPI, Response

from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET

application = FastAPI(openapi_url=None)


@application.get(TARGET)
async def todos() -> Response:
    """Answer with the ready bytes, past response models and serialisation."""
    return Response(BODY, media_type=CONTENT_TYPE)
