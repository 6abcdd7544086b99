"""Conditions on revisions, and changes and deletions that come at once."""

import asyncio

import pytest
from repository_calls import FINISH, OWNER, REOPEN, Repository, add, stored, update

from app.domain.page import TodoQuery
from app.domain.todo import UNCONDITIONAL, RevCondition, Todo, TodoChanges
from app.errors import RevConflict, TodoNotFound
from app.resources import Resources

pytestmark = pytest.mark.gen_test


MET = {
    "none": UNCONDITIONAL,
    "this revision": RevCondition(any_of=frozenset({2})),
    "this among others": RevCondition(any_of=frozenset({1, 2, 99})),
    "not another": RevCondition(none_of=frozenset({1, 3})),
    "this and not another": RevCondition(any_of=frozenset({2}), none_of=frozenset({1})),
}


NOT_MET = {
    "an older revision": RevCondition(any_of=frozenset({1})),
    "a newer revision": RevCondition(any_of=frozenset({3})),
    "no revision at all": RevCondition(any_of=frozenset()),
    "not this": RevCondition(none_of=frozenset({2})),
    "this and not this": RevCondition(any_of=frozenset({2}), none_of=frozenset({2})),
    "a huge revision": RevCondition(any_of=frozenset({999_999_999_999_999})),
}


@pytest.mark.parametrize("condition", MET.values(), ids=MET)
async def test_a_condition_that_is_met_lets_changes_and_deletions_pass(
    repository: Repository, condition: RevCondition
):
    changed = await update(repository, await add(repository), FINISH)
    await repository.delete(OWNER, changed.id, condition=condition)
    other = await update(repository, await add(repository), FINISH)
    assert (await update(repository, other, REOPEN, condition=condition)).rev == 3


@pytest.mark.parametrize("condition", NOT_MET.values(), ids=NOT_MET)
async def test_a_condition_that_is_not_met_changes_nothing_and_shows_the_todo(
    repository: Repository, resources: Resources, condition: RevCondition
):
    todo = await update(repository, await add(repository), FINISH)
    before = await stored(resources, todo.id)
    with pytest.raises(RevConflict) as refused:
        await update(repository, todo, REOPEN, condition=condition)
    assert refused.value.current == todo
    with pytest.raises(RevConflict) as refused:
        await repository.delete(OWNER, todo.id, condition=condition)
    assert refused.value.current == todo
    assert await stored(resources, todo.id) == before


async def test_of_two_changes_to_one_revision_exactly_one_wins(repository: Repository):
    for _ in range(20):
        todo = await add(repository)
        first, second = await asyncio.gather(
            *(
                update(
                    repository,
                    todo,
                    TodoChanges(content=content),
                    condition=RevCondition(any_of=frozenset({1})),
                )
                for content in ("one", "two")
            ),
            return_exceptions=True,
        )
        winner, loser = (second, first) if isinstance(first, RevConflict) else (first, second)
        assert isinstance(winner, Todo)
        assert isinstance(loser, RevConflict)
        assert loser.current == winner == await repository.get(OWNER, todo.id)


async def test_fifty_changes_at_once_are_all_applied_one_after_the_other(repository: Repository):
    todo = await add(repository)
    changes = [TodoChanges(content=f"change {number}") for number in range(50)]
    answers = await asyncio.gather(*(update(repository, todo, change) for change in changes))
    assert sorted(answer.rev for answer in answers) == list(range(2, 52))
    for change, answer in zip(changes, answers, strict=True):
        assert answer.content == change.content
    last = max(answers, key=lambda answer: answer.rev)
    assert await repository.get(OWNER, todo.id) == last


async def test_changes_to_different_fields_at_once_are_both_kept(repository: Repository):
    for _ in range(10):
        todo = await add(repository)
        await asyncio.gather(
            update(repository, todo, TodoChanges(content="buy oats")),
            update(repository, todo, FINISH),
        )
        both = await repository.get(OWNER, todo.id)
        assert (both.content, both.is_finished, both.rev) == ("buy oats", True, 3)


async def test_a_deleted_todo_is_gone_and_the_others_are_not(
    repository: Repository, resources: Resources
):
    todo, other = await add(repository), await add(repository)
    await repository.delete(OWNER, todo.id, condition=UNCONDITIONAL)
    with pytest.raises(TodoNotFound):
        await repository.get(OWNER, todo.id)
    assert await stored(resources, todo.id) is None
    assert list(await repository.list(TodoQuery(owner=OWNER, limit=9))) == [other]


async def test_of_many_deletions_at_once_exactly_one_succeeds(repository: Repository):
    todo = await add(repository)
    answers = await asyncio.gather(
        *(repository.delete(OWNER, todo.id, condition=UNCONDITIONAL) for _ in range(10)),
        return_exceptions=True,
    )
    assert answers.count(None) == 1
    assert sum(isinstance(answer, TodoNotFound) for answer in answers) == 9
