"""Ids that name nothing cost one read of all ids for each stamp, however many are tried."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest
from clock import Clock

from app.cache.answers import Answers
from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.metrics import Metrics
from app.services.absences import MOST_IDS, Absences, Ids
from app.services.writing import announced

pytestmark = pytest.mark.gen_test

OWNER = "public"
KNOWN = [f"{number:024x}" for number in range(3)]
UNKNOWN = [f"{number:024x}" for number in range(1000, 2000)]


class Todos:
    """The only method of a repository that is asked for."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.all = list(ids)
        self.asked = 0

    async def ids(self, owner: str, *, limit: int) -> Sequence[str]:
        assert owner == OWNER
        self.asked += 1
        return self.all[:limit]


class World:
    """What `Absences` works with."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.todos = Todos(ids)
        self.clock = Clock()
        self.stamps = LocalStamps(mark_seconds=60.0, monotonic=monotonic)
        kept = Answers[Ids](
            budget_bytes=1 << 20, seconds=60.0, weigh=lambda _: 100, monotonic=monotonic
        )
        reads = Reads(self.stamps, kept, None, Metrics())
        self.absences = Absences(self.todos, reads, self.clock)  # type: ignore[arg-type]

    async def count_absent(self, ids: Sequence[str]) -> int:
        return sum([await self.absences.is_absent(OWNER, each) for each in ids])


async def test_nothing_is_asked_while_every_id_was_found():
    world = World(KNOWN)
    assert await world.count_absent(UNKNOWN) == 0
    assert world.todos.asked == 0


@pytest.mark.parametrize("ids", [KNOWN, []], ids=["some", "none"])
async def test_after_a_miss_one_read_tells_of_a_thousand_others(ids: Sequence[str]):
    world = World(ids)
    world.absences.note(OWNER)
    assert await world.count_absent(UNKNOWN) == len(UNKNOWN)
    assert await world.count_absent(ids) == 0
    assert world.todos.asked == 1


async def test_while_all_ids_are_read_nobody_waits_for_them():
    world = World(KNOWN)
    world.absences.note(OWNER)
    told = await asyncio.gather(*(world.absences.is_absent(OWNER, each) for each in UNKNOWN))
    assert world.todos.asked == 1
    assert any(told)


async def test_a_todo_that_is_added_is_not_absent_any_more():
    world = World(KNOWN)
    world.absences.note(OWNER)
    assert await world.count_absent(UNKNOWN[:1]) == 1
    async with announced(world.stamps, (OWNER,)):
        world.todos.all.append(UNKNOWN[0])
    world.clock.advance(1.0)
    assert await world.count_absent(UNKNOWN[:1]) == 0


async def test_with_a_write_in_every_moment_all_ids_are_read_once_a_second_at_most():
    world = World(KNOWN)
    world.absences.note(OWNER)
    for _ in range(100):
        async with announced(world.stamps, (OWNER,)):
            pass
        await world.count_absent(UNKNOWN[:1])
    assert world.todos.asked == 1


async def test_while_somebody_writes_nothing_is_known():
    world = World(KNOWN)
    world.absences.note(OWNER)
    async with announced(world.stamps, (OWNER,)):
        assert await world.count_absent(UNKNOWN) == 0
    assert world.todos.asked == 0


async def test_of_an_owner_with_very_many_todos_the_ids_are_read_once_and_not_kept():
    world = World([f"{number:024x}" for number in range(MOST_IDS + 1)])
    world.absences.note(OWNER)
    assert await world.count_absent(["f" * 24] * 100) == 0
    assert world.todos.asked == 1
