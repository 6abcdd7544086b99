"""Rows 1-17, 21, 22, 24-32, 68, 75 and 77: request lines, targets, hosts and fields."""

from bad_input_rows import GOOD, GOOD_RAN, Row, get, head, post, refused

MAX_LINE = 8192
MAX_FIELDS = 100
MAX_FIELDS_BYTES = 16384
_CRLF = 2

_HOSTS = (
    refused("1 no Host", head("GET / HTTP/1.1")),
    refused("2 two Hosts", head("GET / HTTP/1.1", "Host: a", "Host: b")),
    refused("2 two equal Hosts", head("GET / HTTP/1.1", "Host: a", "host: a")),
    refused("2 two Hosts in HTTP/1.0", head("GET / HTTP/1.0", "Host: a", "Host: a")),
    *(
        refused(f"2, 3 Host {host[:9]}", head("GET / HTTP/1.1", f"Host: {host}"))
        for host in ("a, b", "a/?", "a/", "a?", "a@b", "a b", "a#", "a\\b", "\xe9", "a" * 300)
    ),
    *(
        refused(f"3 Host {host}", head("GET / HTTP/1.1", f"Host: {host}"))
        for host in ("a:123456", "a:b", "a:1:2", "[::1", "::1", "[g]", "[::1]a", '"a"')
    ),
)

_VERSIONS = (
    refused("4 HTTP/0.9", b"GET /\r\n"),
    refused("4 HTTP/0.9 with a space", b"GET / \r\n"),
    *(
        refused(f"5 {version}", get(version=version), 400, 505)
        for version in (
            *("HTTP/2.0", "HTTP/1.32", "HTTP/111", "HTTP/0.99", "http/1.1"),
            *("HTTP/0.9", "HTTP/1", "HTTP/1.", "HTTP/01.1", "HTTP /1.1", "HTTP/1.1 ", "HTTP/3.1"),
        )
    ),
    refused("6 RTSP", get(version="RTSP/1.0")),
    refused("6 ICE", head("SOURCE / ICE/1.0", "Host: a")),
    refused("7 HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
)

_LINES = (
    *(
        refused(f"8, 9 {line!r}", head(line, "Host: a"))
        for line in (
            *("GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1"),
            *("GET /\tHTTP/1.1", "GET / HTTP/1.1\t", "GET / a HTTP/1.1", "GET HTTP/1.1", "GET"),
            *("GET\n/\nHTTP/1.1", "GET\x0b/ HTTP/1.1", "GET\xa0/ HTTP/1.1", "\xef\xbb\xbfGET /"),
        )
    ),
    *(
        refused(f"10 {method!r}", head(f"{method} / HTTP/1.1", "Host: a"), 400, 501)
        for method in (
            *("\x00GET", "GET\x00", 'G=":<>(e)', "bla:rgh", "-bl", "get", "Get", "G\xcbT"),
            *("(GET)", "G,T", "PROPFIND", "GET/", "A" * 100),
        )
    ),
    refused("11 1 MB of empty lines", b"\r\n" * 500_000),
    refused("11 two empty lines", b"\r\n\r\n" + get()),
    refused("11 an empty line that is an LF", b"\n" + get()),
    refused("11 an empty line that is a CR", b"\r" + get()),
    Row("11 one empty line", b"\r\n" + GOOD, ((200,),), (GOOD_RAN,)),
)

_ENDS = len("GET  HTTP/1.1")
_TARGETS = (
    refused("12 line 8 KiB + 1", get(target="/".ljust(MAX_LINE + 1 - _ENDS, "a")), 414),
    Row("12 line 8 KiB", get(target="/".ljust(MAX_LINE - _ENDS, "a")), ((404,),)),
    *(
        refused(f"12 target {size}", get(target="/".ljust(size, "a")), 414)
        for size in (8193, 65_535, 65_536, 131_072)
    ),
    refused("13 an endless target", b"GET /" + b"a" * 20_000, 414),
    refused("13 an endless method", b"G" * 20_000, 414),
    *(
        refused(f"14 target {target}", get(target=target))
        for target in (
            *("!", "foo/bar", "a.com:443", "*", "http://evil/", "http://", "http:///", "ftp://a/"),
            *(
                "http:/a/",
                "http://a@evil/",
                "http://evil@a/",
                "http://a/#b",
                "?a",
                "**",
                "http://a:81",
            ),
        )
    ),
    *(
        refused(f"15 target {target!r}", get(target=target))
        for target in ("/#frag", "/a?b#c", "/\x7f", "/\xff", "/\x1b[31m", "/a\x00b", "/\xc3\xa9")
    ),
    *(
        Row(f"15 target {target}", get(target=target), ((404,),))
        for target in ("/%00", "/..%2f", "//evil", "/@evil", "/../admin", "/%61dmin/")
    ),
    Row("14 absolute form", get(target="http://A/?q"), ((200,),), (GOOD_RAN,)),
    Row("14 default port", get(target="http://a:80/"), ((200,),), (GOOD_RAN,)),
    Row(
        "14 absolute form in HTTP/1.0",
        head("GET http://a/ HTTP/1.0", "Connection: keep-alive"),
        ((200,),),
        (GOOD_RAN,),
    ),
    Row("5 HTTP/1.2", get(version="HTTP/1.2"), ((200,),), (GOOD_RAN,)),
    Row("16 OPTIONS URL", head("OPTIONS http://a HTTP/1.1", "Host: a"), ((204,),), ("OPTIONS *",)),
    Row("16 OPTIONS *", head("OPTIONS * HTTP/1.1", "Host: a"), ((204,),), ("OPTIONS *",)),
    refused("16 OPTIONS **", head("OPTIONS ** HTTP/1.1", "Host: a")),
    refused("17 CONNECT", head("CONNECT a:443 HTTP/1.1", "Host: a:443"), 405),
    refused("17 TRACE", head("TRACE / HTTP/1.1", "Host: a"), 405),
)

_FIELD = "X: ".ljust(MAX_LINE, "a")
_HOST_BYTES = len("Host: a\r\n")
_REST = MAX_FIELDS_BYTES - _HOST_BYTES - MAX_LINE - 2 * _CRLF
_SIZES = (
    refused("21 field 8 KiB + 1", get(_FIELD + "a"), 431),
    Row("21 field 8 KiB", get(_FIELD), ((200,),), (GOOD_RAN,)),
    refused("21 block 16 KiB + 1", get(_FIELD, "Y: ".ljust(_REST + 1, "a")), 431),
    Row("21 block 16 KiB", get(_FIELD, "Y: ".ljust(_REST, "a")), ((200,),), (GOOD_RAN,)),
    refused("21 101 fields", get(*["X: y"] * MAX_FIELDS), 431),
    Row("21 100 fields", get(*["X: y"] * (MAX_FIELDS - 1)), ((200,),), (GOOD_RAN,)),
    refused("21 10,000 fields", get(*["X: y"] * 10_000), 431),
    refused("22 an endless name", head("GET / HTTP/1.1", "X" * 20_000), 431),
    refused("22 an endless value", head("GET / HTTP/1.1", "X: " + "y" * 40_000), 431),
    refused("68 a cookie of 60 KB", get('Cookie: a="' + r"\"" * 30_000), 431),
    refused("68 10,000 cookies", get("Cookie: " + "a=b; " * 10_000), 431),
    refused("68 a cookie with NUL", get("Cookie: a=\x00")),
    refused("75 a User-Agent of 10 KB", get("User-Agent: " + "a" * 10_240), 431),
    # The limit is passed before the control character is there, and at every split it must be so.
    refused("32 a long value with a control character", get(f"X: {'x' * 50_000}\x10"), 431),
    refused("32 the same within the limit", get(f"X: {'x' * 8000}\x10")),
    refused("32 blanks without end", get(f"X: {' ' * 8000}\x10")),
    refused("75 ESC in a field", get("User-Agent: \x1b[31m")),
    Row("75 ESC and CR escaped", get(target="/%1b%0d%0a"), ((404,),)),
)

_NAMES = (
    *(
        refused(f"24-27 {field!r}", post(field, body=b"x" * 10))
        for field in (
            *("Content-Length : 5", "Content-Length\t: 5", ": x", ":", "NoColon"),
            *("Content-Length 10", "X\x00: y", "X\x85: y", "X\xef: y", "X y: z", " : x"),
            *('X": y', "X(: y", "X): y", "X,: y", "X/: y", "X;: y", "X@: y", "X[: y", "X{: y"),
        )
    ),
    refused("25 HTAB first", head("POST /echo HTTP/1.1", "\tContent-Length: 1", "Host: a")),
    refused("25 SP first", head("POST /echo HTTP/1.1", " Content-Length: 1", "Host: a")),
)

_VALUES = (
    *(
        refused(f"28 value with {character!r}", get(f"X: a{character}b"))
        for character in ("\x00", "\x07", "\x7f", "\r", "\n", "\x0b", "\x0c", "\x1f", "\r\r\n")
    ),
    refused("29 CR for a line end", get("Foo: 1\rBar: 2")),
    refused("29 CR hides a coding", get("Foo: 1\rTransfer-Encoding: chunked")),
    refused("30 LF for all line ends", get().replace(b"\r\n", b"\n")),
    refused("30 LF for the first line end", get().replace(b"\r\n", b"\n", 1)),
    refused("30 LF for the last line end", get()[:-2] + b"\n"),
    refused("30 CR for the last line end", get()[:-2] + b"\rX"),
    refused("30 CR CR LF", get().replace(b"\r\n", b"\r\r\n", 1)),
    refused("31 folded", get("Long: one", " two")),
    refused("31 folded with HTAB", get("Long: one", "\ttwo")),
    refused("31 folded coding", post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n")),
    refused("31 folded length", post("Content-Length:", " 5", body=b"hello")),
    refused("31 folded last", get("Long: one", " ")),
)

_STRANGERS = (
    refused("77 TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(32)),
    refused("77 SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    refused("77 PROXY", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GOOD),
    refused("77 PROXY 2", b"\r\n\r\n\x00\r\nQUIT\n"),
    refused("77 memcached", b"stats\r\n"),
    refused("77 memcached set", b"set a 0 0 5\r\nhello\r\n"),
    refused("77 Redis", b"*1\r\n$4\r\nPING\r\n"),
    refused("77 Redis inline", b"PING\r\n"),
)

ROWS = (*(*_HOSTS, *_VERSIONS, *_LINES, *_TARGETS, *_SIZES, *_NAMES, *_VALUES, *_STRANGERS),)
