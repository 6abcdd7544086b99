"""Stamps of the only process, which need no Redis."""

import pytest
from clock import Clock

from app.cache.local_stamps import LocalStamps

pytestmark = pytest.mark.gen_test

SCOPE = "public"
MARK_SECONDS = 10.0


@pytest.fixture
def stamps(clock: Clock) -> LocalStamps:
    return LocalStamps(mark_seconds=MARK_SECONDS, monotonic=clock)


async def test_a_stamp_stays_until_somebody_writes(stamps: LocalStamps, clock: Clock) -> None:
    stamp = await stamps.prove(SCOPE)
    clock.advance(1_000_000)
    assert stamp is not None
    assert await stamps.prove(SCOPE) == stamp


async def test_a_proof_is_there_at_once(stamps: LocalStamps) -> None:
    assert stamps.prove(SCOPE).done()


async def test_scopes_have_stamps_of_their_own(stamps: LocalStamps) -> None:
    kept = await stamps.prove("kept")
    assert kept != await stamps.prove("written")
    await stamps.mark(["written"])
    assert await stamps.prove("written") is None
    assert await stamps.prove("kept") == kept


async def test_a_write_that_has_ended_leaves_a_stamp_that_never_was(stamps: LocalStamps) -> None:
    seen = [await stamps.prove(SCOPE)]
    for _ in range(3):
        write = await stamps.mark([SCOPE])
        assert await stamps.prove(SCOPE) is None
        await stamps.done([SCOPE], write)
        seen.append(await stamps.prove(SCOPE))
    assert None not in seen
    assert len(set(seen)) == len(seen)


async def test_the_first_of_two_writers_to_end_does_not_reopen(stamps: LocalStamps) -> None:
    first, second = await stamps.mark([SCOPE]), await stamps.mark([SCOPE])
    await stamps.done([SCOPE], first)
    assert await stamps.prove(SCOPE) is None
    await stamps.done([SCOPE], second)
    assert await stamps.prove(SCOPE) is not None


async def test_a_write_marks_all_its_scopes(stamps: LocalStamps) -> None:
    write = await stamps.mark(["a", "b"])
    assert [await stamps.prove("a"), await stamps.prove("b")] == [None, None]
    await stamps.done(["a", "b"], write)
    assert None not in [await stamps.prove("a"), await stamps.prove("b")]


async def test_a_mark_counts_until_its_deadline(stamps: LocalStamps, clock: Clock) -> None:
    await stamps.mark([SCOPE])
    clock.advance(MARK_SECONDS - 0.25)
    assert await stamps.prove(SCOPE) is None
    clock.advance(0.5)
    assert await stamps.prove(SCOPE) is not None


async def test_a_write_that_ends_after_its_deadline_ends_the_stamp_given_meanwhile(
    stamps: LocalStamps, clock: Clock
) -> None:
    write = await stamps.mark([SCOPE])
    clock.advance(MARK_SECONDS + 1)
    meanwhile = await stamps.prove(SCOPE)
    await stamps.done([SCOPE], write)
    assert await stamps.prove(SCOPE) not in (None, meanwhile)
