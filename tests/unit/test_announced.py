"""Which writes are said to have ended, and which may be under way still."""

import asyncio

import pytest
from write_ledger import Ledger, todo

from app.errors import (
    RevConflict,
    StorageOverloaded,
    StorageUnavailable,
    StorageUnusable,
    TodoError,
    TodoNotFound,
)
from app.services.writing import announced

pytestmark = pytest.mark.gen_test


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.parametrize(
    ("error", "is_ended"),
    [
        (None, True),
        (TodoNotFound(), True),
        (RevConflict(todo("a")), True),
        (StorageOverloaded("full"), True),
        (StorageUnusable("refused"), True),
        (StorageUnavailable("no answer"), False),
        (RuntimeError("a fault"), False),
        (asyncio.CancelledError(), False),
    ],
    ids=lambda value: type(value).__name__ if value is not None else "success",
)
async def test_only_a_write_whose_outcome_is_known_is_said_to_have_ended(
    ledger: Ledger, error: BaseException | None, *, is_ended: bool
) -> None:
    async def write() -> None:
        async with announced(ledger, ("public",)):
            ledger.told.append("write")
            if error is not None:
                raise error

    if error is None:
        await write()
    else:
        with pytest.raises(type(error)):
            await write()
    assert ledger.told == ["mark public", "write", *(["done public"] if is_ended else [])]


async def test_a_known_failure_whose_end_could_not_be_told_is_unavailable(ledger: Ledger) -> None:
    ledger.done_error = StorageUnavailable("Redis does not answer")
    with pytest.raises(TodoError) as told:
        async with announced(ledger, ("public",)):
            raise TodoNotFound
    assert isinstance(told.value, StorageUnavailable)
