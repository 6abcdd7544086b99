"""Stamps of the only process, which need no Redis."""

import pytest
from clock import Clock
from proving import prove, put

from app.cache.local_stamps import LocalStamps

pytestmark = pytest.mark.gen_test

SCOPE = "public"
MARK_SECONDS = 10.0


@pytest.fixture
def stamps(clock: Clock) -> LocalStamps:
    return LocalStamps(mark_seconds=MARK_SECONDS, monotonic=clock)


async def test_a_stamp_stays_until_somebody_writes(stamps: LocalStamps, clock: Clock) -> None:
    stamp = await prove(stamps, SCOPE)
    clock.advance(1_000_000)
    assert stamp is not None
    assert await prove(stamps, SCOPE) == stamp


async def test_a_proof_is_there_in_the_next_turn(stamps: LocalStamps) -> None:
    proof = prove(stamps, SCOPE)
    assert not proof.done()
    await put(stamps, SCOPE)
    assert proof.done()


async def test_who_asks_in_the_turn_in_which_a_write_begins_is_given_no_stamp(
    stamps: LocalStamps,
) -> None:
    assert await prove(stamps, SCOPE) is not None
    proof = prove(stamps, SCOPE)
    await stamps.mark([SCOPE])
    assert await proof is None


async def test_a_proof_that_somebody_cancelled_does_not_hurt_the_others(
    stamps: LocalStamps,
) -> None:
    first, second, third = (prove(stamps, scope) for scope in ("a", "a", "b"))
    first.cancel()
    assert None not in (await second, await third)


async def test_scopes_have_stamps_of_their_own(stamps: LocalStamps) -> None:
    kept = await prove(stamps, "kept")
    assert kept != await prove(stamps, "written")
    await stamps.mark(["written"])
    assert await prove(stamps, "written") is None
    assert await prove(stamps, "kept") == kept


async def test_a_write_that_has_ended_leaves_a_stamp_that_never_was(stamps: LocalStamps) -> None:
    seen = [await prove(stamps, SCOPE)]
    for _ in range(3):
        write = await stamps.mark([SCOPE])
        assert await prove(stamps, SCOPE) is None
        await stamps.done([SCOPE], write)
        seen.append(await prove(stamps, SCOPE))
    assert None not in seen
    assert len(set(seen)) == len(seen)


async def test_the_first_of_two_writers_to_end_does_not_reopen(stamps: LocalStamps) -> None:
    first, second = await stamps.mark([SCOPE]), await stamps.mark([SCOPE])
    await stamps.done([SCOPE], first)
    assert await prove(stamps, SCOPE) is None
    await stamps.done([SCOPE], second)
    assert await prove(stamps, SCOPE) is not None


async def test_a_write_marks_all_its_scopes(stamps: LocalStamps) -> None:
    write = await stamps.mark(["a", "b"])
    assert [await prove(stamps, "a"), await prove(stamps, "b")] == [None, None]
    await stamps.done(["a", "b"], write)
    assert None not in [await prove(stamps, "a"), await prove(stamps, "b")]


async def test_a_mark_counts_until_its_deadline(stamps: LocalStamps, clock: Clock) -> None:
    await stamps.mark([SCOPE])
    clock.advance(MARK_SECONDS - 0.25)
    assert await prove(stamps, SCOPE) is None
    clock.advance(0.5)
    assert await prove(stamps, SCOPE) is not None


async def test_a_write_that_ends_after_its_deadline_ends_the_stamp_given_meanwhile(
    stamps: LocalStamps, clock: Clock
) -> None:
    write = await stamps.mark([SCOPE])
    clock.advance(MARK_SECONDS + 1)
    meanwhile = await prove(stamps, SCOPE)
    await stamps.done([SCOPE], write)
    assert await prove(stamps, SCOPE) not in (None, meanwhile)
