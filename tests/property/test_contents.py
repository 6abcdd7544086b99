"""What is accepted comes back; what is not leaves nothing behind."""

from typing import Any
from urllib.parse import urlencode

from clock import Clock
from drawn_requests import in_any_state
from exchange import FORM_HEADERS, Request, Server, add_todo
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from app.resources import Resources

MAX_CHARACTERS = 4096
ALLOWED_CONTROLS = "\t\n\r"
CONTENTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), min_size=1, max_size=40),
    st.text(st.characters(categories=["Cc", "Cs", "Cf", "Zs", "Mn", "So"]), max_size=6),
    st.builds(
        lambda character, count: character * count,
        st.sampled_from(["a", "é", "买", "𝄞", " ", "\n"]),
        st.integers(MAX_CHARACTERS - 2, MAX_CHARACTERS + 2),
    ),
    st.sampled_from(["$is_finished", "$$ROOT", '{"$gt": ""}', "\ufeff", "a&b=c;d", "%41", "+", ""]),
)


def is_allowed(content: str) -> bool:
    """Say by the words of the documentation whether this is content: 1 to 4096 of valid text."""
    return 1 <= len(content) <= MAX_CHARACTERS and not any(
        ("\ud800" <= character <= "\udfff")
        or (character not in ALLOWED_CONTROLS and (character < " " or "\x7f" <= character < "\xa0"))
        for character in content
    )


def newest(server: Server) -> list[Any]:
    """Return the newest todo's content in the lists of both versions."""
    _, page = server.json("GET", "/v1/todos?limit=1")
    _, article_page = server.json("GET", "/todo")
    return [items[0]["content"] for items in (page["items"], article_page["data"]) if items]


@settings(in_any_state, max_examples=100)
@given(content=CONTENTS)
def test_content_comes_back_unchanged_or_is_refused_without_a_trace(
    server: Server, resources: Resources, io_loop: IOLoop, clock: Clock, content: str
):
    clock.advance(1)
    before = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    status, answer = server.json("POST", "/v1/todos", {"content": content})
    after = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    assert status == (201 if is_allowed(content) else 422)
    assert after - before == (status == 201)
    if status == 201:
        assert server.json("GET", f"/v1/todos/{answer['id']}") == (200, answer)
        assert [answer["content"], *newest(server)] == [content] * 3


@settings(in_any_state, max_examples=60)
@given(content=CONTENTS)
def test_content_from_a_form_comes_back_unchanged_or_is_refused_without_a_trace(
    server: Server, resources: Resources, io_loop: IOLoop, clock: Clock, content: str
):
    clock.advance(1)
    form = urlencode({"content": content}, errors="surrogatepass").encode()
    before = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    status, _ = server.call(Request("POST", "/todo", FORM_HEADERS, form))
    after = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    assert status == (200 if is_allowed(content) else 400)
    assert after - before == (status == 200)
    if status == 200:
        assert newest(server) == [content] * 2


@settings(in_any_state, max_examples=60)
@given(content=CONTENTS, is_finished=st.none() | st.booleans())
def test_a_patch_changes_what_it_names_or_nothing(
    server: Server, clock: Clock, content: str, is_finished: bool | None
):
    clock.advance(1)
    target = f"/v1/todos/{add_todo(server)}"
    _, before = server.json("GET", target)
    changes: dict[str, Any] = {"content": content}
    if is_finished is not None:
        changes["is_finished"] = is_finished
    status, _ = server.json("PATCH", target, changes)
    _, after = server.json("GET", target)
    if not is_allowed(content):
        assert (status, after) == (422, before)
        return
    assert status == 200
    wanted = {**before, **changes}
    assert (after["content"], after["is_finished"]) == (wanted["content"], wanted["is_finished"])
    changed = any(before[name] != value for name, value in changes.items())
    assert after["rev"] == before["rev"] + changed
