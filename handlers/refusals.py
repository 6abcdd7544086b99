"""What the HTTP server itself refuses, answered in the API's own words, measured and logged."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from app.httpserver import Answer, Context, Refusal, Refuse
from app.metrics import Metrics
from handlers.base import Route
from handlers.problems import PROBLEMS, REFUSALS, RequestProblem
from handlers.recording import Answered, record_requests
from handlers.representation import answer_problem
from handlers.request_ids import request_id

_CODES = {PROBLEMS[code].status: code for code in (*REFUSALS, "method-not-allowed")}

_AUTHORITY = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)
"""What stands before the path of a target in absolute form."""


def refusals(metrics: Metrics, routes: Sequence[Route]) -> Refuse:
    """Return the function that answers refused requests, for `app.httpserver.Server`."""

    def headers_of(refusal: Refusal, path: str) -> dict[str, str]:
        path = _AUTHORITY.sub("", path) or "/"
        for route in routes:
            if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED and route.matches(path):
                return {"Allow": ", ".join(route.handler.allowed_methods())}
        return dict(refusal.fields)

    def refuse(refusal: Refusal, context: Context) -> Answer:
        start_line = refusal.start_line
        # As Tornado does: the values of a repeated field are joined, and so fit for nothing.
        given = [value for name, value in refusal.request_fields if name.lower() == "x-request-id"]
        the_id = request_id(",".join(given))
        path = "" if start_line is None else start_line.path.partition("?")[0]
        answered = Answered(
            method="" if start_line is None else start_line.method,
            route="refused",
            path=path,
            status=refusal.status,
            scheme=context.protocol,
            seconds=None,
        )
        record_requests(metrics, answered, 1, ((context.remote_ip, the_id),))
        problem = RequestProblem(
            _CODES[refusal.status], refusal.reason, headers=headers_of(refusal, path)
        )
        return answer_problem(problem, the_id)

    return refuse
