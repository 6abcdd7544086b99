"""Cursors lead back to their place, and nothing else is taken for one."""

import base64
import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.page import Cursors, Position, TodoQuery
from app.domain.todo import Todo
from app.errors import InvalidCursor
from handlers.todos import ListParameters
from handlers.validation import parse_query

CURSORS = Cursors(b"key of these tests")

times = st.floats(allow_nan=False)
ids = st.binary(min_size=12, max_size=12).map(bytes.hex)
filters = st.sampled_from([None, False, True])
owners = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def make_cursor(
    *, owner="public", is_finished=None, created_at=1000.5, todo_id="ab" * 12, cursors=CURSORS
):
    last = Todo(
        id=todo_id,
        owner=owner,
        content="",
        created_at=created_at,
        is_finished=False,
        finished_at=None,
        updated_at=created_at,
        rev=1,
    )
    return cursors.encode(TodoQuery(owner=owner, limit=1, is_finished=is_finished), last)


@given(owner=owners, is_finished=filters, created_at=times, todo_id=ids)
def test_a_cursor_leads_back_to_its_place(owner, is_finished, created_at, todo_id):
    cursor = make_cursor(
        owner=owner, is_finished=is_finished, created_at=created_at, todo_id=todo_id
    )
    place = CURSORS.decode(cursor, owner=owner, is_finished=is_finished)
    assert place == Position(created_at, todo_id)
    assert math.copysign(1, place.created_at) == math.copysign(1, created_at)


@given(created_at=times, todo_id=ids)
def test_a_cursor_needs_no_escaping_and_passes_the_bound_of_its_parameter(created_at, todo_id):
    cursor = make_cursor(created_at=created_at, todo_id=todo_id)
    assert parse_query(f"cursor={cursor}", ListParameters).cursor == cursor


@given(one=owners, other=owners)
def test_a_cursor_of_another_owner_is_refused(one, other):
    if one != other:
        with pytest.raises(InvalidCursor):
            CURSORS.decode(make_cursor(owner=one), owner=other, is_finished=None)


@given(one=filters, other=filters)
def test_a_cursor_of_another_filter_is_refused(one, other):
    if one is not other:
        with pytest.raises(InvalidCursor):
            CURSORS.decode(make_cursor(is_finished=one), owner="public", is_finished=other)


@given(st.text() | st.text("ABCDEFabcdef0123456789-_+/=", max_size=64))
def test_garbage_is_refused(text):
    with pytest.raises(InvalidCursor):
        CURSORS.decode(text, owner="public", is_finished=None)


@given(fields=st.binary(max_size=30) | st.binary(min_size=21, max_size=21))
def test_one_that_somebody_made_up_is_refused(fields):
    with pytest.raises(InvalidCursor):
        CURSORS.decode(forge(fields), owner="public", is_finished=None)


def test_one_of_another_database_is_refused():
    with pytest.raises(InvalidCursor):
        CURSORS.decode(make_cursor(cursors=Cursors(b"other")), owner="public", is_finished=None)


def forge(fields):
    """Return a cursor as anybody can make it who reads our code, and does not know the key."""
    digest = hashlib.blake2b(fields + b"public", digest_size=6, person=b"todo cursor").digest()
    return base64.urlsafe_b64encode(fields + digest).decode("ascii")
