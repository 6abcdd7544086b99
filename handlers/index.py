"""What is here, at ``/``: links, as JSON or for people."""

import re

from msgspec import Raw, Struct, structs

from app import __version__
from handlers.base import BaseHandler, Route
from handlers.media_types import parse_parameterised
from handlers.operation import HTML, JSON, Answer, Operation, operation
from handlers.representation import OK, represent

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_FIELDS = (("Vary", "Accept"), ("Link", '</openapi.json>; rel="service-desc"'))


class Index(Struct, frozen=True):
    """Where to go on. All but the first two are addresses."""

    name: str = "tornado-todo"
    version: str = __version__
    todos: str = "/v1/todos"
    first_version: str = "/todo"
    description: str = "/openapi.json"
    alive: str = "/livez"
    ready: str = "/readyz"
    metrics: str = "/metrics"
    versions: str = "/version"


_LINKS = "".join(
    f'<li><a href="{address}">{name.replace("_", " ")}</a> <code>{address}</code></li>\n'
    for name, address in structs.asdict(Index()).items()
    if address.startswith("/")
)
_HTML = f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Todos</title>
<h1>Todos</h1>
<p>A todo service: {Index().name} {Index().version}. Programs get these addresses as JSON.</p>
<ul>
{_LINKS}</ul>
</html>
"""

INDEX = represent(Index(), fields=_FIELDS)
PAGE = represent(Raw(_HTML.encode()), fields=_FIELDS)


class LinksHandler(BaseHandler):
    """What is here, at ``/``."""

    @operation(
        Operation(
            summary="Tell what is here: as JSON, or as HTML to who prefers that.",
            answers={
                200: Answer(
                    "Addresses.",
                    Index,
                    headers=("ETag", "Link", "Vary"),
                    other_media_types=(HTML,),
                )
            },
            conditional=True,
        )
    )
    def get(self) -> None:
        """Answer with the links."""
        accept = self.request.headers.get("Accept", "*/*")
        if quality(accept, HTML) <= quality(accept, JSON):
            self.reply_with(INDEX)
            return
        self.reply_with(PAGE)
        if self.get_status() == OK:
            self.set_header("Content-Type", f"{HTML}; charset=utf-8")


def quality(accept: str, media_type: str) -> float:
    """Return how much a media type is wanted, from 0 to 1, by an Accept field's value.

    RFC 9110, section 12.5.1: the most specific range decides. What is malformed asks for nothing.
    """
    ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    found = (-1, 0.0)
    for one in accept.split(","):
        asked = parse_parameterised(one)
        if asked is not None and asked.first in ranges:
            weight = asked.parameters.get("q", "1")
            if _QUALITY.fullmatch(weight) is not None:
                found = max(found, (ranges.index(asked.first), float(weight)))
    return found[1]


ROUTES = (Route("/", LinksHandler),)
