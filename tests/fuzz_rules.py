"""Why another server may read a message differently: each reason is a function.

A rule's docstring is its explanation, in the fuzzer's report. Rules look at the bytes, not at what
our server says about them: a refusal for no reason is a difference without an explanation.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fuzz_hosts import is_host, names_host
from fuzz_message import CONTROL, LONE_CR, LONE_LF, MessageView
from fuzz_readings import ACCEPTED, OPTIONS, REFUSED, WAITING, Step


class Difference(NamedTuple):
    """Two steps that differ, where both servers began to read at the same byte."""

    other: str
    """h11 or tornado."""

    part: str
    """``kind``, or the part of an accepted request that differs."""

    ours: Step
    theirs: Step
    message: MessageView


Rule = Callable[[Difference], bool]

_ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)((?:/|\?)[^#]*|)")


def lone_line_feed(found: Difference) -> bool:
    """They take a bare LF for a line end, which RFC 9112, 2.2 permits. We do not."""
    return found.ours.status == 400 and bool(LONE_LF.search(found.message.head))


def control_character(found: Difference) -> bool:
    """A control character: h11 lets most of them stand in values (RFC 9110, 5.5 forbids them)."""
    return found.ours.status == 400 and bool(CONTROL.search(found.message.head))


def lone_carriage_return(found: Difference) -> bool:
    """A CR that ends no line, which RFC 9112, 2.2 forbids. Tornado drops it at a line's ends."""
    return found.ours.status == 400 and bool(LONE_CR.search(found.message.head))


def target_beyond_ascii(found: Difference) -> bool:
    """Bytes above 0x7e in the target, which RFC 3986 does not know. Tornado takes them."""
    words = found.message.lines[0].split(b" ") if found.message.lines else []
    is_beyond = len(words) == 3 and any(byte > 0x7E for byte in words[1])
    return found.other == "tornado" and found.ours.status == 400 and is_beyond


def refused_before_its_end(found: Difference) -> bool:
    """A wrong line in a head without an end: we refuse it at once, they wait for the rest."""
    return (
        found.ours.status == 400
        and found.theirs.kind == WAITING
        and not found.message.has_whole_head
        and bool(found.message.malformed_lines)
    )


def folded_line(found: Difference) -> bool:
    """A folded field, obsolete since RFC 7230: h11 unfolds it, which RFC 9112, 5.2 permits."""
    folded = any(line[:1] in (b" ", b"\t") for line in found.message.lines[1:])
    return found.ours.status == 400 and folded


def other_version(found: Difference) -> bool:
    """A version that is not spoken here; h11 takes any, or waits."""
    line = found.message.request_line
    return found.ours.status == 505 and line is not None and line[2][:2] != b"1."


def later_version(found: Difference) -> bool:
    """HTTP/1.2 and later ones: we process and call them 1.1, as RFC 9110, 2.5 says. Tornado keeps
    their connections as it does those of HTTP/1.0."""
    line = found.message.request_line
    is_later = line is not None and line[2][:2] == b"1." and line[2] > b"1.1"
    return is_later and (found.part == "version" or found.other == "tornado")


def other_method(found: Difference) -> bool:
    """A method outside of Options.methods; the others leave that to their application."""
    line = found.message.request_line
    methods = {method.encode() for method in OPTIONS.methods}
    return found.ours.status in (405, 501) and line is not None and line[0] not in methods


def target_form(found: Difference) -> bool:
    """No origin-form (RFC 9112, 3.2.1), or an authority that is not Host's. They do not look."""
    line = found.message.request_line
    if found.ours.status != 400 or line is None:
        return False
    method, target, _ = line
    absolute = _ABSOLUTE.fullmatch(target)
    is_same = absolute is not None and names_host(absolute, found.message.values(b"host"))
    is_asterisk = method == b"OPTIONS" and target == b"*"
    return b"#" in target or not (target.startswith(b"/") or is_asterisk or is_same)


def number_of_hosts(found: Difference) -> bool:
    """No Host in HTTP/1.1, or several (RFC 9112, 3.2). Tornado's application would look at it."""
    line = found.message.request_line
    hosts = found.message.values(b"host")
    is_wrong = len(hosts) > 1 or (not hosts and line is not None and line[2] > b"1.0")
    return found.ours.status == 400 and is_wrong


def malformed_host(found: Difference) -> bool:
    """A Host that is none by RFC 3986, 3.2.2, or holds a comma. h11 does not look into it."""
    hosts = found.message.values(b"host")
    return found.ours.status == 400 and any(not is_host(host.decode("latin-1")) for host in hosts)


def several_lengths(found: Difference) -> bool:
    """Content-Length twice, or a list: they merge equal ones (RFC 9112, 6.3 permits). We do not."""
    lengths = found.message.values(b"content-length")
    is_several = len(lengths) > 1 or any(b"," in length for length in lengths)
    return found.ours.status == 400 and is_several


def length_and_coding(found: Difference) -> bool:
    """Transfer-Encoding with a Content-Length: h11 goes by the former (RFC 9112, 6.1 permits)."""
    message = found.message
    has_both = message.values(b"transfer-encoding") and message.values(b"content-length")
    return found.ours.status == 400 and bool(has_both)


def coding_in_http_10(found: Difference) -> bool:
    """Transfer-Encoding in HTTP/1.0: its framing is faulty by RFC 9112, 6.1. They decode it."""
    line = found.message.request_line
    is_10 = line is not None and line[2] == b"1.0"
    return found.ours.status == 400 and is_10 and bool(found.message.values(b"transfer-encoding"))


def expectation(found: Difference) -> bool:
    """An Expect other than 100-continue: 417 is a MAY of RFC 9110, 10.1.1. They ignore it."""
    expected = found.message.values(b"expect")
    is_usual = [value.lower() for value in expected] == [b"100-continue"]
    return found.ours.status == 417 and bool(expected) and not is_usual


def long_head(found: Difference) -> bool:
    """A head above our limits (8 KiB a line, 16 KiB, 100 fields); theirs are higher."""
    lines = found.message.head.split(b"\n")
    is_long = any(len(line) > 8192 for line in lines) or len(found.message.head) > 16384
    return found.ours.status in (414, 431) and (is_long or len(lines) > 100)


def long_body(found: Difference) -> bool:
    """A body above our limit of 1 MiB is refused before it is read; theirs are higher or none."""
    lengths = [value for value in found.message.values(b"content-length") if value.isdigit()]
    sizes = [int(size, 16) for size in re.findall(rb"(?m)^[0-9A-Fa-f]+", found.message.rest)]
    is_long = any(int(length) > 1 << 20 for length in lengths)
    return found.ours.status == 413 and (is_long or sum(sizes) > 1 << 20)


def malformed_size(found: Difference) -> bool:
    """The line before a chunk is not RFC 9112's, 7.1: h11 takes blanks after the size and anything
    in an extension, both take more than 16 digits, or they still wait for CRLF."""
    return found.ours.status == 400 and found.message.has_malformed_size


def malformed_chunk_end(found: Difference) -> bool:
    """Not CRLF after a chunk: we refuse its first byte, Tornado waits for the second one."""
    wrong = any(not b"\r\n".startswith(end) for end in found.message.chunk_ends)
    return found.ours.status == 400 and found.theirs.kind == WAITING and wrong


def malformed_trailer(found: Difference) -> bool:
    """A wrong line in the trailers: h11 takes LF, folding and control characters there, or waits
    for their end; Tornado knows no trailers and waits for two bytes."""
    return found.ours.status == 400 and found.message.has_malformed_trailer


def many_trailers(found: Difference) -> bool:
    """More trailers than 16, or above 4 KiB; h11 has no such limit."""
    lines = found.message.trailer_lines
    is_much = len(lines) > 16 or sum(map(len, lines)) >= 4096
    return found.ours.status == 431 and is_much


def chunk_extension(found: Difference) -> bool:
    """A chunk extension, which RFC 9112, 7.1.1 says to ignore. Tornado refuses all of them."""
    extended = any(b";" in line for line in found.message.size_lines)
    return found.other == "tornado" and found.ours.kind != REFUSED and extended


def blank_before_extension(found: Difference) -> bool:
    """Blanks before a chunk extension, which RFC 9112, 7.1.1 has us read. h11 refuses them."""
    blank = any(re.match(rb"[0-9A-Fa-f]+[ \t]+;", line) for line in found.message.size_lines)
    return found.other == "h11" and found.ours.kind != REFUSED and blank


def trailers(found: Difference) -> bool:
    """Trailers, which RFC 9112, 7.1.2 lets us drop. Tornado refuses all of them."""
    has_some = any(line != b"\r\n" for line in found.message.trailer_lines)
    return found.other == "tornado" and found.ours.kind != REFUSED and has_some


def framing_trailer(found: Difference) -> bool:
    """A trailer that may be none, such as Transfer-Encoding: gzip. We drop it, as any other, which
    RFC 9110, 6.5.1 permits; h11 reads it as if it stood in the head, Tornado takes no trailers."""
    names = {line.split(b":")[0].lower() for line in found.message.trailer_lines}
    is_there = not names.isdisjoint({b"transfer-encoding", b"content-length"})
    return found.other == "h11" and found.ours.kind != REFUSED and is_there


def zeros_before_a_length(found: Difference) -> bool:
    """A Content-Length of more than 20 digits, leading zeros included; h11 refuses to count it."""
    long = any(len(length) > 20 for length in found.message.values(b"content-length"))
    return found.other == "h11" and found.ours.kind != REFUSED and long


def blank_at_the_start(found: Difference) -> bool:
    """h11 refuses a first byte below 0x21 at once; we judge a line by its end."""
    first = found.message.data[:1]
    is_blank = first != b"" and first < b"\x21"
    return found.other == "h11" and found.ours.kind == WAITING and is_blank


def absolute_target(found: Difference) -> bool:
    """An absolute-form target: we give the application its path and query, they all of it."""
    if found.ours.request is None or found.theirs.request is None:
        return False
    absolute = _ABSOLUTE.fullmatch(found.theirs.request.target.encode())
    path = absolute[2].decode() if absolute else ""
    if not path and found.ours.request.method == "OPTIONS":
        return found.ours.request.target == "*"
    return found.ours.request.target == (path if path.startswith("/") else f"/{path}")


def host_of_the_target(found: Difference) -> bool:
    """HTTP/1.0 without a Host: the application is given the one that the target names."""
    if found.ours.request is None or found.theirs.request is None:
        return False
    absolute = _ABSOLUTE.fullmatch(found.theirs.request.target.encode())
    more = set(found.ours.request.fields) - set(found.theirs.request.fields)
    return absolute is not None and more == {("host", absolute[1].decode())}


def close_in_a_list(found: Difference) -> bool:
    """Tornado compares Connection as a whole, so a list with close or keep-alive is neither."""
    values = found.message.values(b"connection")
    is_list = len(values) > 1 or any(b"," in value for value in values)
    return found.other == "tornado" and is_list


def keep_alive_in_http_10(found: Difference) -> bool:
    """keep-alive in HTTP/1.0: h11 never does it, Tornado only if the request has a body or is GET
    or HEAD; RFC 9112, 9.3 does not tell methods apart."""
    ours = found.ours.request
    return ours is not None and ours.keep_alive and ours.version == "HTTP/1.0"


RULES: dict[str, tuple[Rule, ...]] = {
    "kind": (
        *(other_version, other_method, expectation, long_head, long_body, many_trailers),
        *(lone_line_feed, lone_carriage_return, control_character, folded_line),
        *(target_beyond_ascii, refused_before_its_end),
        *(number_of_hosts, malformed_host, target_form),
        *(several_lengths, length_and_coding, coding_in_http_10),
        *(malformed_size, malformed_chunk_end, malformed_trailer),
        *(
            chunk_extension,
            blank_before_extension,
            trailers,
            framing_trailer,
            zeros_before_a_length,
            blank_at_the_start,
        ),
    ),
    "target": (absolute_target,),
    "version": (later_version,),
    "fields": (host_of_the_target,),
    "keep_alive": (close_in_a_list, keep_alive_in_http_10, later_version),
}
"""By the part of a step that differs. Nothing explains another end, body, method or field."""

EXCUSES = frozenset({framing_trailer, blank_before_extension})
"""Rules by which we may accept what both others refuse."""


def explain(found: Difference) -> Rule | None:
    """Return the first rule that explains a difference, or None."""
    if found.ours.kind == WAITING and found.theirs.kind == ACCEPTED:
        return None  # They see an end of the message where we see none.
    return next((rule for rule in RULES.get(found.part, ()) if rule(found)), None)
