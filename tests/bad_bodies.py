"""Rows 33-55: lengths, codings, chunks and trailers."""

from bad_input_rows import GOOD, GOOD_RAN, SMUGGLED, Row, chunked, get, post, refused

MAX_BODY = 1_048_576

_LENGTHS = (
    *(
        refused(f"33, 34 length {length!r}", post(f"Content-Length: {length}", body=b"hello"))
        for length in (
            *("+5", "-1", "-0", "0x5", "5_0", "5.0", "5 0", "1e3", '""', "", "bla", "5;", ",5"),
            *("\xd9\xa5", "\xef\xbc\x95", "\xb2", "\xa05", "5\x85", "0b1", "5,", "'5'"),
        )
    ),
    *(
        refused(f"33, 53 length {name}", post(f"Content-Length: {length}"), 413)
        for name, length in {
            "of 18 digits": "9" * 18,
            "of 25 digits": "1" * 25,
            "of 4300 digits": "9" * 4300,
            "one over": str(MAX_BODY + 1),
            "one over with zeros": f"000{MAX_BODY + 1}",
            "10^18": str(10**18),
            "2^63": str(2**63),
            "2^64": str(2**64),
        }.items()
    ),
    Row(
        "33 length with zeros",
        post(f"Content-Length: {'0' * 4300}5", body=b"hello"),
        ((200,),),
        ("POST /echo hello",),
    ),
    *(
        refused(f"35 lengths {first} and {second}", post(first, second, body=b"hello"))
        for first, second in (
            ("Content-Length: 5", "Content-Length: 5"),
            ("Content-Length: 5", "Content-Length: 6"),
            ("Content-Length: 0", "content-length: 5"),
            ("Content-Length: 5, 5", "X: y"),
            ("Content-Length: 5, 6", "X: y"),
        )
    ),
)

_CHUNKED = "Transfer-Encoding: chunked"
_CODINGS = (
    *(
        refused(f"36, 37, 40 {' and '.join(fields)}", post(*fields, body=b"0\r\n\r\n"))
        for fields in (
            ("Content-Length: 5", _CHUNKED),
            (_CHUNKED, "Content-Length: 5"),
            ("Transfer-Encoding:", "Content-Length: 5"),
            ("Content-Length: 5", "Transfer-Encoding: "),
            ("Content-Length: 5", "Transfer-Encoding: identity"),
            ("Transfer-Encoding:", "X: y"),
            (_CHUNKED, _CHUNKED),
            (_CHUNKED, "Transfer-Encoding: identity"),
            ("Transfer-Encoding: identity", _CHUNKED),
        )
    ),
    *(
        refused(f"38 coding {coding}", post(f"Transfer-Encoding: {coding}"), 400, 501)
        for coding in (
            *("xchunked", "chunked123", "identity", "gzip", "gzip, chunked", "chunked, chunked"),
            *(",chunked", '"chunked"', "chunked;q=1", "chunked,", "chunked chunked", "chun\tked"),
        )
    ),
    *(
        refused(f"39 coding {coding!r}", post(f"Transfer-Encoding: {coding}"))
        for coding in (
            *("\x0bchunked", "\xa0chunked", "\xffchunked", "chunked\x85", "\xa0chunked\x85"),
            *("chunked\x0c", "\x00chunked"),
        )
    ),
    # U+212A and U+0131 become "k" and "i" by case folding elsewhere; here bytes are latin-1.
    refused("39 coding in Unicode", post("Transfer-Encoding: chun\xe2\x84\xaaed"), 400),
    refused("41 chunked in HTTP/1.0", post(_CHUNKED, body=b"0\r\n\r\n", version="HTTP/1.0")),
    *(
        Row(f"38 coding {field}", post(field, body=b"0\r\n\r\n"), ((200,),), ("POST /echo ",))
        for field in ("transfer-encoding:CHUNKED", "Transfer-Encoding: \tchunked \t")
    ),
    *(
        Row(f"42 {field}", post(field) + GOOD, ((200,), (200,)), ("POST /echo ", GOOD_RAN))
        for field in ("Transfer_Encoding: chunked", "Content_Length: 5")
    ),
)

_CHUNKS = (
    *(
        refused(f"43 chunk size {size!r}", chunked(f"{size}\r\nhello\r\n0\r\n\r\n".encode()))
        for size in (
            *("0x5", "+5", "-5", "5_0", " 5", "5 ", "", "g", "F" * 17, "5\t", "5.", "５", "5,"),
            *("x", '"5"', "5\x0b", "-0", "\t5", "0" * 16 + "5"),
        )
    ),
    refused("43 a chunk of 2^64 - 1 bytes", chunked(b"F" * 16 + b"\r\nhello\r\n"), 413),
    refused("44 100,000 leading zeros", chunked(b"0" * 100_000 + b"5\r\nhello\r\n0\r\n\r\n")),
    refused("45 1 MB of extension", chunked(b"5;" + b"a" * 1_000_000 + b"\r\nhello\r\n")),
    refused("45 long extensions", chunked((b"5;" + b"a" * 1000 + b"\r\nhello\r\n") * 1000)),
    *(
        refused(f"46 {line!r}", chunked(line + b"hello\r\n0\r\n\r\n"))
        for line in (
            *(b"5;a\nb\r\n", b"5;a\rb\r\n", b"5\r\r;ABCD\r\n", b"5;\r\n", b"5\n", b"5;a\n"),
            *(b"5\r", b"5;\x00\r\n", b"5;a\x7f\r\n", b"5\r\r\n", b"5x\r\n", b"\r\n5\r\n"),
        )
    ),
    *(
        refused(f"47 {body!r}", chunked(body))
        for body in (
            *(b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello0\r\n", b"5\r\nhello\n0\r\n\r\n"),
            *(b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello\rX0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n"),
            *(b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhello\n\r0\r\n\r\n"),
        )
    ),
    refused("52 1-byte chunks", chunked(b"1\r\na\r\n" * 10_000)),
    refused("53 chunk one over", chunked(f"{MAX_BODY + 1:x}\r\n".encode()), 413),
    refused("53 chunks one over", chunked(f"1\r\na\r\n{MAX_BODY:X}\r\n".encode()), 413),
    Row(
        "46 an extension",
        chunked(b'5;a="b;c"\r\nhello\r\n1 ; d = "\xff"\r\n!\r\n0;z\r\n\r\n'),
        ((200,),),
        ("POST /echo hello!",),
    ),
)

_LAST = b"5\r\nhello\r\n0\r\n"
_TRAILERS = (
    Row(
        "48 a request in a trailer",
        chunked(b"0\r\nX:POST /admin HTTP/1.1\r\n\r\n") + GOOD,
        ((200,), (200,)),
        ("POST /echo ", GOOD_RAN),
    ),
    refused("48 XX for the last CRLF", chunked(b"0\r\nXX")),
    refused("48 a request for the last CRLF", chunked(b"0\r\n") + SMUGGLED),
    refused("48 LF for the last CRLF", chunked(b"0\r\n\n")),
    refused("48 a folded trailer", chunked(b"0\r\nX: a\r\n b\r\n\r\n")),
    refused("48 a trailer with a control character", chunked(b"0\r\nX: \x01\r\n\r\n")),
    refused("48 a trailer with CR", chunked(b"0\r\nX: a\rb\r\n\r\n")),
    refused("48 a trailer with LF", chunked(b"0\r\nX: a\nY: b\r\n\r\n")),
    Row("49 no last CRLF, then EOF", chunked(_LAST), (), is_closed=True, then_eof=True),
    Row("49 no last chunk, then EOF", chunked(_LAST[:-3]), (), is_closed=True, then_eof=True),
    *(
        Row(
            f"50 trailer {trailer}",
            chunked(_LAST + f"{trailer}\r\n\r\n".encode()) + GOOD,
            ((200,), (200,)),
            ("POST /echo hello", GOOD_RAN),
        )
        for trailer in (
            *(
                "Content-Length: 99",
                "Host: evil",
                "Transfer-Encoding: chunked",
                "Connection: close",
            ),
            *("Authorization: a", "X-Forwarded-For: 1.2.3.4", "Expect: x"),
        )
    ),
    refused("51 100,000 trailers", chunked(_LAST + b"a: b\r\n" * 100_000), 431),
    refused("51 17 trailers", chunked(_LAST + b"a: b\r\n" * 17 + b"\r\n"), 431),
    Row(
        "51 16 trailers",
        chunked(_LAST + b"a: b\r\n" * 16 + b"\r\n"),
        ((200,),),
        ("POST /echo hello",),
    ),
    refused("51 an endless trailer", chunked(_LAST + b"a: " + b"b" * 10_000), 431),
)

_ENDS = (
    Row(
        "55 half of a body, then EOF",
        post("Content-Length: 10", body=b"hello"),
        (),
        is_closed=True,
        then_eof=True,
    ),
    Row("55 half of a head, then EOF", get()[:-2], (), is_closed=True, then_eof=True),
    Row(
        "55 half of a streamed body, then EOF",
        post("Content-Length: 10", body=b"hello", path="/stream"),
        (),
        ("POST /stream prepared", "POST /stream closed"),
        is_closed=True,
        then_eof=True,
    ),
)

ROWS = (*_LENGTHS, *_CODINGS, *_CHUNKS, *_TRAILERS, *_ENDS)
