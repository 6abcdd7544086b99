"""Made-up todos for `run.py seed`, and the way to store very many of them quickly."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, islice
from random import Random

from app.domain.todo import Todo
from app.seed_texts import CHINESE, ENGLISH, Grammar

MAX_TODOS_PER_RUN = 1 << 24
"""As many as the three-byte counter of an ObjectId keeps apart and in order."""

_SECONDS_PER_HOUR = 3600
_HOURS_COVERED = 365 * 24

# People's days follow China Standard Time: a fixed zone makes a run the same on every machine.
_RHYTHM_HOURS_AHEAD_OF_UTC = 8
_WEIGHT_BY_HOUR_OF_DAY = (
    *(3, 2, 1, 1, 1, 2, 6, 12),
    *(20, 28, 28, 22, 14, 18, 26, 26),
    *(24, 20, 14, 12, 14, 18, 14, 8),
)
_WEEKEND_WEIGHT = 0.4  # Part of what the same hour of a working day gets.

# The chance to be finished grows evenly with age; its mean is 60 %.
_FINISHED_CHANCE_OF_NEWEST = 0.3
_FINISHED_CHANCE_OF_OLDEST = 0.9
# The part of its age after which a todo was finished is a uniform number raised to this power:
# half of those a month old were finished within two days.
_PROMPTNESS = 4

_CHINESE_SHARE = 0.5

_Rule = Sequence[tuple[str, tuple["_Rule", ...]]]
"""Alternatives: each a %-template and the rules that fill it, in order."""


def _compile(grammar: Grammar) -> _Rule:
    """Turn rule `text` and all that it names into templates that can be filled at once."""

    @cache
    def compile_rule(name: str) -> _Rule:
        return [compile_alternative(alternative) for alternative in grammar[name]]

    def compile_alternative(alternative: str) -> tuple[str, tuple[_Rule, ...]]:
        names = re.findall(r"{(\w+)}", alternative)
        template = re.sub(r"{\w+}", "%s", alternative.replace("%", "%%"))
        # A rule named several times is dealt out between its places: no word comes twice.
        slots = tuple(
            compile_rule(name)[names[:place].count(name) :: names.count(name)]
            for place, name in enumerate(names)
        )
        return (template, slots) if slots else (alternative, ())

    return compile_rule("text")


def _text_writer(random: Random) -> Callable[[], str]:
    """Return a function that writes a new text, Chinese or English, at each call."""
    # PERF: with `Random.choice` in place of `int(uniform() * len(rule))` 300,000 todos take 14 %
    # longer; the unevenness that `choice` avoids is below 2**-40 here.
    uniform = random.random
    english, chinese = _compile(ENGLISH), _compile(CHINESE)

    def write(rule: _Rule) -> str:
        template, slots = rule[int(uniform() * len(rule))]
        return template % tuple(map(write, slots)) if slots else template

    return lambda: write(chinese if uniform() < _CHINESE_SHARE else english)


def _creation_times(count: int, *, now: float, random: Random) -> Iterator[float]:
    """Yield `count` strictly rising times (epoch seconds) of the year before `now`."""
    start = now - _HOURS_COVERED * _SECONDS_PER_HOUR
    first_hour = int(start / _SECONDS_PER_HOUR) + _RHYTHM_HOURS_AHEAD_OF_UTC
    weights = [_hour_weight(first_hour + hour) for hour in range(_HOURS_COVERED)]
    ends = list(accumulate(weights))
    step = ends[-1] / count if count else 0.0
    hour = 0
    for index in range(count):
        # Each todo has a step of its own and leaves a tenth of it free, so that no two times
        # can meet, however a float is rounded.
        position = (index + 0.9 * random.random()) * step
        while position >= ends[hour]:
            hour += 1
        part_of_hour = 1 - (ends[hour] - position) / weights[hour]
        yield start + (hour + part_of_hour) * _SECONDS_PER_HOUR


def _hour_weight(hours_since_epoch: int) -> float:
    """Say how many todos an hour gets, relative to the others."""
    day, hour = divmod(hours_since_epoch, 24)
    is_weekend = day % 7 in {2, 3}  # The epoch was a Thursday.
    return _WEIGHT_BY_HOUR_OF_DAY[hour] * (_WEEKEND_WEIGHT if is_weekend else 1.0)


def generate_todos(
    count: int, *, owner: str, now: float, random: Random, run: int
) -> Iterator[Todo]:
    """Make up `count` todos of the year before `now` (epoch seconds), oldest first.

    The same arguments, with `random` in the same state, give the same todos. Ids are ObjectIds
    (MongoDB manual, "ObjectId"): the second of `created_at`, the 40 bits of `run`, a counter; they
    are unique as long as `run` is and `count` is at most `MAX_TODOS_PER_RUN`.
    """
    uniform = random.random
    write_text = _text_writer(random)
    chance_range = _FINISHED_CHANCE_OF_OLDEST - _FINISHED_CHANCE_OF_NEWEST
    chance_per_second = chance_range / (_HOURS_COVERED * _SECONDS_PER_HOUR)
    for index, created_at in enumerate(_creation_times(count, now=now, random=random)):
        age = now - created_at
        is_finished = uniform() < _FINISHED_CHANCE_OF_NEWEST + chance_per_second * age
        finished_at = created_at + age * uniform() ** _PROMPTNESS if is_finished else None
        yield Todo(
            id=f"{int(created_at):08x}{run:010x}{index:06x}",
            owner=owner,
            content=write_text(),
            created_at=created_at,
            is_finished=is_finished,
            finished_at=finished_at,
            updated_at=created_at if finished_at is None else finished_at,
            rev=2 if is_finished else 1,
        )


async def seed(
    insert: Callable[[Sequence[Todo]], Awaitable[None]],
    todos: Iterator[Todo],
    *,
    batch_size: int = 1000,
    concurrent_batches: int = 3,
    progress: Callable[[int], object],
) -> int:
    """Store `todos` in batches and return how many were stored.

    At most `concurrent_batches` inserts are in flight; the next batch is made meanwhile.
    `progress` is called with its size after each stored batch. The first failure of `insert` or
    `progress` ends the other batches and is raised; no task outlives the call, cancelled or not.
    """
    stored = 0

    async def store_batches() -> None:
        nonlocal stored
        # Making a batch holds the loop for some 6 ms: nothing for a command that serves nobody,
        # and less than handing it to a thread would cost under the same interpreter lock.
        while batch := list(islice(todos, batch_size)):
            await insert(batch)
            stored += len(batch)
            progress(len(batch))

    workers = [asyncio.create_task(store_batches()) for _ in range(concurrent_batches)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return stored
