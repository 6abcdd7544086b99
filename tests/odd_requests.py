"""Rows 18-20, 56, 58-65, 73 and 78: what is unusual and must be answered just right."""

from bad_input_rows import GOOD, GOOD_RAN, SMUGGLED, Row, get, head, post, refused

_H2C = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")
_CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
_HELLO = "POST /echo hello"

_UPGRADES = (
    Row(
        "18 h2c with a body",
        post(*_H2C, "Content-Length: 5", body=b"hello") + GOOD,
        ((200,), (200,)),
        (_HELLO, GOOD_RAN),
    ),
    Row(
        "19 h2c with a chunked body",
        post(*_H2C, "Transfer-Encoding: chunked", body=_CHUNKS) + GOOD,
        ((200,), (200,)),
        (_HELLO, GOOD_RAN),
    ),
    Row(
        "20 an upgrade with a request as its body",
        get("Upgrade: websocket", "Connection: Upgrade", f"Content-Length: {len(SMUGGLED)}")
        + SMUGGLED,
        ((200,),),
        (GOOD_RAN,),
    ),
)

_PIPELINES = (
    Row(
        "56 GET with a body",
        get("Content-Length: 5") + b"hello" + GOOD,
        ((200,), (200,)),
        (GOOD_RAN, GOOD_RAN),
    ),
    Row(
        "56 a body that looks like a request",
        post(f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED) + GOOD,
        ((200,), (200,)),
        (f"POST /echo {SMUGGLED.decode()}", GOOD_RAN),
    ),
    Row(
        "56 all kinds in a row",
        GOOD
        + post("Transfer-Encoding: chunked", body=_CHUNKS)
        + get(target="/a")
        + post("Content-Length: 5", body=b"hello", path="/stream")
        + GOOD,
        ((200,), (200,), (404,), (200,), (200,)),
        (GOOD_RAN, _HELLO, "POST /stream prepared", "POST /stream hello", GOOD_RAN),
    ),
    Row(
        "58 good, bad, good",
        GOOD + head("GET / HTTP/1.1") + GOOD,
        ((200,), (400,)),
        (GOOD_RAN,),
        is_closed=True,
    ),
    Row(
        "59 a request after close",
        get("Connection: close") + SMUGGLED,
        ((200,),),
        (GOOD_RAN,),
        is_closed=True,
    ),
    Row("78 EOF after the request", GOOD, ((200,),), (GOOD_RAN,), is_closed=True, then_eof=True),
    Row(
        "78 EOF after two requests",
        GOOD + post("Content-Length: 5", body=b"hello"),
        ((200,), (200,)),
        (GOOD_RAN, _HELLO),
        is_closed=True,
        then_eof=True,
    ),
)

_CONNECTION = (
    *(
        Row(
            f"60 Connection: {value!r}",
            get(*(f"Connection: {one}" for one in value.split("|"))) + SMUGGLED,
            ((200,),),
            (GOOD_RAN,),
            is_closed=True,
        )
        for value in (
            *("close\t", "close, x", "keep-alive, close", "CLOSE", "x,close", "keep-alive|close"),
            *(" close", "close ,x", ",close"),
        )
    ),
    *(
        Row(f"60 Connection: {value}", get(f"Connection: {value}"), ((200,),), (GOOD_RAN,))
        for value in ("closed", "not-close", "close;x", "", "keep-alive", "x")
    ),
    Row("61 HTTP/1.0", get(version="HTTP/1.0") + SMUGGLED, ((200,),), (GOOD_RAN,), is_closed=True),
    Row("61 HTTP/1.0 without Host", head("GET / HTTP/1.0"), ((200,),), (GOOD_RAN,), is_closed=True),
    Row(
        "61 HTTP/1.0 with keep-alive",
        get("Connection: Keep-Alive", version="HTTP/1.0") + GOOD,
        ((200,), (200,)),
        (GOOD_RAN, GOOD_RAN),
    ),
    Row(
        "61 HTTP/1.0 with keep-alive and close",
        get("Connection: keep-alive, close", version="HTTP/1.0") + SMUGGLED,
        ((200,),),
        (GOOD_RAN,),
        is_closed=True,
    ),
)

_EXPECT = "Expect: 100-continue"
_EXPECTATIONS = (
    refused("62 Expect with a body too large", post(_EXPECT, "Content-Length: 1048577"), 413),
    *(
        Row(
            f"63 {expect}",
            post(expect, "Content-Length: 5", body=b"hello") + GOOD,
            ((200,), (200,)),
            (_HELLO, GOOD_RAN),
            most_continues=1,
        )
        for expect in (_EXPECT, "expect: 100-Continue")
    ),
    Row("63 Expect without a body", post(_EXPECT), ((200,),), ("POST /echo ",)),
    *(
        refused(
            f"64 {' and '.join(fields)}", post(*fields, "Content-Length: 5", body=b"hello"), 417
        )
        for fields in (
            ("Expect: y 100-continue",),
            ("Expect: x",),
            ("Expect:",),
            (_EXPECT, _EXPECT),
            ("Expect: 100-continue, 100-continue",),
            ("Expect: 100-continue;q=1",),
        )
    ),
    *(
        Row(
            f"65 {expect} in HTTP/1.0",
            post(expect, "Content-Length: 5", body=b"hello", version="HTTP/1.0"),
            ((200,),),
            (_HELLO,),
            is_closed=True,
        )
        for expect in (_EXPECT, "Expect: x")
    ),
)

# Believed, it would run for another client than the one whose record is looked at.
_CLAIMS = tuple(
    Row(f"73 {claim}", get(claim, target="/peer"), ((200,),), ("GET /peer http",))
    for claim in (
        *("X-Forwarded-For: 1.2.3.4", "X-Real-Ip: 1.2.3.4", "X-Scheme: https"),
        *("X-Forwarded-Proto: https", "Forwarded: for=1.2.3.4;proto=https"),
    )
)

ROWS = (*_UPGRADES, *_PIPELINES, *_CONNECTION, *_EXPECTATIONS, *_CLAIMS)
