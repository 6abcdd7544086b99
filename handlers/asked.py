"""What the short cuts look at in a request, beside method, target and body."""

from typing import NamedTuple


class Asked(NamedTuple):
    """Values of header fields, None where one is missing: `ReadyRequest.values`.

    Of all others none changes what is sent, so whoever asks alike may share an answer.
    """

    none_match: str | None
    media_type: str | None
    forwarded_proto: str | None
    """It is measured, so those who differ in it share no answer."""


READY_FIELDS = ("if-none-match", "content-type", "x-forwarded-proto")
"""The names of these fields, in this order."""

OWN_FIELD = "X-Request-Id"
"""The field that is each request's own: who differs in it alone shares an answer but for the id."""
