"""What the HTTP server itself refuses, answered in the API's own words, measured and logged."""

from app.httpserver import Answer, Context, Refusal, Refuse
from app.metrics import Metrics
from handlers.problems import PROBLEMS, REFUSALS, RequestProblem
from handlers.recording import Answered, record_requests
from handlers.representation import answer_problem
from handlers.request_ids import request_id

_CODES = {PROBLEMS[code].status: code for code in (*REFUSALS, "method-not-allowed")}


def refusals(metrics: Metrics) -> Refuse:
    """Return the function that answers refused requests, for `app.httpserver.Server`."""

    def refuse(refusal: Refusal, context: Context) -> Answer:
        start_line = refusal.start_line
        the_id = request_id(None)
        answered = Answered(
            method="" if start_line is None else start_line.method,
            route="refused",
            path="" if start_line is None else start_line.path.partition("?")[0],
            status=refusal.status,
            scheme=context.protocol,
            seconds=None,
        )
        record_requests(metrics, answered, 1, ((context.remote_ip, the_id),))
        problem = RequestProblem(
            _CODES[refusal.status], refusal.reason, headers=dict(refusal.fields)
        )
        return answer_problem(problem, the_id)

    return refuse
