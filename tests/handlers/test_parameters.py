"""What stands in a query is refused with the place and the reason, on every call of v1."""

import pytest

from handlers.validation import MAX_FIELDS

pytestmark = pytest.mark.gen_test

NOT_ALLOWED = "is none of the values allowed here: false, true"
NOT_KNOWN = "is not known here; known: limit, cursor, is_finished"


@pytest.mark.parametrize(
    ("query", "parameter", "code", "detail"),
    [
        ("limit=0", "limit", "too_small", "is below 1; 1 to 100 are allowed"),
        ("limit=-" + "9" * 30, "limit", "too_small", "is below 1; 1 to 100 are allowed"),
        ("limit=101", "limit", "too_large", "is above 100; 1 to 100 are allowed"),
        ("limit=" + "9" * 30, "limit", "too_large", "is above 100; 1 to 100 are allowed"),
        ("limit=" + "9" * 4301, "limit", "too_large", "is above 100; 1 to 100 are allowed"),
        ("limit=-" + "9" * 4301, "limit", "too_small", "is below 1; 1 to 100 are allowed"),
        ("limit=-0", "limit", "too_small", "is below 1; 1 to 100 are allowed"),
        *(
            (f"limit={text}", "limit", "wrong_type", "must be an integer")
            for text in (
                *("1e1", "1E1", "1.0", "10.", "1e400", "-1e400", "1e" + "9" * 4301, "010", "%2B1"),
                *("+1", "1+", "%201", "1_0", "0x1", "1%0A", "1%00", "%D9%A1", "%zz", "%", "--1"),
                *("NaN", "Infinity", "null", "true", "[1]", "1,2", '"1"'),
            )
        ),
        ("limit=ten", "limit", "wrong_type", "must be an integer"),
        ("limit=", "limit", "wrong_type", "must be an integer"),
        ("limit", "limit", "wrong_type", "must be an integer"),
        ("limit=%EF%BC%91", "limit", "wrong_type", "must be an integer"),
        ("limit=1;is_finished=true", "limit", "wrong_type", "must be an integer"),
        ("is_finished=maybe", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=null", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=True", "is_finished", "not_allowed", NOT_ALLOWED),
        ("is_finished=1", "is_finished", "not_allowed", NOT_ALLOWED),
        ("cursor=" + "A" * 65, "cursor", "too_long", "is longer than 64 characters: it has 65"),
        ("limit=1&limit=1", "limit", "repeated", "is given more than once"),
        ("owner=eve", "owner", "unknown_field", NOT_KNOWN),
        ("content[$gt]=", "content[$gt]", "unknown_field", NOT_KNOWN),
        ("$where=1", "$where", "unknown_field", NOT_KNOWN),
        ("x" * 5000 + "=1", "x" * 100, "unknown_field", NOT_KNOWN),
        ("=1", "", "unknown_field", NOT_KNOWN),
        ("Limit=1", "Limit", "unknown_field", NOT_KNOWN),
        ("%zz=1", "%zz", "unknown_field", NOT_KNOWN),
        ("limit[]=1", "limit[]", "unknown_field", NOT_KNOWN),
        ("a=1&a=1", "a", "unknown_field", NOT_KNOWN),
        ("limit=x&limit=1", "limit", "repeated", "is given more than once"),
        ("limit=1&l%69mit=1", "limit", "repeated", "is given more than once"),
        ("limit=%FF", "limit", "invalid_character", "is not UTF-8 at character 1"),
        ("cursor=ab%ED%A0%80", "cursor", "invalid_character", "is not UTF-8 at character 3"),
        ("%FF=1", "\ufffd", "invalid_character", "is a name that is not UTF-8"),
        ("cursor=junk", "cursor", "invalid_cursor", "is damaged or was made for another list"),
        ("cursor=", "cursor", "invalid_cursor", "is damaged or was made for another list"),
        ("cursor=%C3%A9", "cursor", "invalid_cursor", "is damaged or was made for another list"),
        ("%00=1", "\0", "unknown_field", NOT_KNOWN),
        ("limit%0A=1", "limit\n", "unknown_field", NOT_KNOWN),
    ],
    ids=lambda value: value[:24],
)
async def test_a_query_that_breaks_a_rule_is_400_naming_the_parameter(
    api, query, parameter, code, detail
):
    answer = await api.call("GET", f"/v1/todos?{query}")
    assert (answer.status, *answer.wrong) == (400, parameter, code)
    assert answer.json()["errors"][0]["detail"] == detail
    assert answer.json()["detail"] == f"{parameter or '(no name)'} {detail}."


@pytest.mark.parametrize(
    "query",
    [
        "%FF=1",
        "limit=%FF",
        "%ED%A0%80=1",
        pytest.param("&".join(f"a{n}=1" for n in range(MAX_FIELDS + 1)), id="too many"),
    ],
)
async def test_a_query_that_cannot_be_read_is_400(api, query):
    answer = await api.call("GET", f"/v1/todos?{query}")
    assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-parameter")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        (
            "limit=0&cursor=junk&is_finished=maybe&a=1",
            [
                *(("limit", "too_small"), ("cursor", "invalid_cursor")),
                *(("is_finished", "not_allowed"), ("a", "unknown_field")),
            ],
        ),
        (
            "a=1&limit=1&b=2&limit=2",
            [("a", "unknown_field"), ("limit", "repeated"), ("b", "unknown_field")],
        ),
        ("&".join(f"a{n}" for n in range(100)), [(f"a{n}", "unknown_field") for n in range(100)]),
    ],
    ids=["all four", "two and one", "as many as there may be"],
)
async def test_every_wrong_parameter_is_told_of_in_the_order_sent(api, query, wrong):
    answer = await api.call("GET", f"/v1/todos?{query}")
    assert answer.status == 400
    errors = answer.json()["errors"]
    assert [(error["parameter"], error["code"]) for error in errors] == wrong


@pytest.mark.parametrize("query", ["dry_run=true", "limit=1", "fields=id", "%FF", "=", "_=1"])
@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("HEAD", None), ("PATCH", {"content": "b"}), ("DELETE", None), ("POST", {})],
)
async def test_no_call_but_the_list_has_parameters(api, method, body, query):
    todo = await api.add("a")
    target = "/v1/todos" if method == "POST" else f"/v1/todos/{todo['id']}"
    answer = await api.call(method, f"{target}?{query}", json_body=body)
    assert answer.status == 400
    if method != "HEAD":
        assert answer.json()["type"] == "/problems/invalid-parameter"
        assert len(answer.json()["errors"]) == 1
    assert (await api.call("GET", "/v1/todos")).json()["items"] == [todo]


@pytest.mark.parametrize("target", ["/livez", "/readyz", "/version", "/metrics", "/openapi.json"])
async def test_what_operators_ask_takes_any_query(api, target):
    assert (await api.call("GET", f"{target}?_=1700000000&verbose")).status == 200


@pytest.mark.parametrize("query", ["limit=1", "limit=100", "is_finished=true", "&&", ""])
async def test_a_query_within_the_limits_is_answered(api, query):
    assert (await api.call("GET", f"/v1/todos?{query}")).status == 200
