"""The answer that every server gives."""

import json

TARGET = "/todo"
CONTENT_TYPE = "application/json"

_CONTENTS = (
    "Buy milk, bread and two lemons",
    "Call the dentist",
    "Water the plants on the balcony",
    "Return the library books",
    "Send the invoice for October",
    "Book a table for Friday at eight",
    "Repair the rear light of the bicycle",
    "Write to Grandmother",
    "Renew the passport",
    "Back up the photographs",
)


def _body() -> bytes:
    """Return a list as the service's first version gives it: ten todos, 1.3 KiB."""
    todos = [
        {
            "id": f"{0x6554C0DE0000000000000000 + number:024x}",
            "content": content,
            "created_at": 1_763_650_000 - 60 * number,
            "is_finished": False,
            "finished_at": None,
        }
        for number, content in enumerate(_CONTENTS)
    ]
    return json.dumps({"data": todos}, separators=(",", ":")).encode()


BODY = _body()
