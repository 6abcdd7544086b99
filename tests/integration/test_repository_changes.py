"""What a change does to a todo, and what it leaves alone."""

import pytest
from repository_calls import FINISH, LATER, NOW, OWNER, REOPEN, Repository, add, stored, update

from app.domain.todo import Todo, TodoChanges
from app.resources import Resources

pytestmark = pytest.mark.gen_test


async def test_a_change_raises_the_revision_and_leaves_the_rest_alone(repository: Repository):
    todo = await add(repository)
    changed = await update(repository, todo, TodoChanges(content="buy oats"))
    assert changed == Todo(
        id=todo.id,
        owner=OWNER,
        content="buy oats",
        created_at=NOW,
        is_finished=False,
        finished_at=None,
        updated_at=LATER,
        rev=2,
    )
    assert await repository.get(OWNER, todo.id) == changed


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(TodoChanges(), id="nothing"),
        pytest.param(TodoChanges(content="buy milk"), id="the same content"),
        pytest.param(TodoChanges(is_finished=False), id="the same state"),
        pytest.param(TodoChanges(content="buy milk", is_finished=False), id="both the same"),
    ],
)
async def test_changes_that_change_nothing_keep_revision_and_time(
    repository: Repository, resources: Resources, changes: TodoChanges
):
    todo = await add(repository)
    before = await stored(resources, todo.id)
    assert await update(repository, todo, changes) == todo
    assert await stored(resources, todo.id) == before


async def test_finishing_notes_the_time(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    assert (finished.is_finished, finished.finished_at, finished.rev) == (True, LATER, 2)


async def test_finishing_again_keeps_the_first_time_and_the_revision(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    assert await update(repository, finished, FINISH, now=LATER + 60) == finished


async def test_finishing_again_with_new_content_keeps_the_first_time(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    both = TodoChanges(content="buy oats", is_finished=True)
    changed = await update(repository, finished, both, now=LATER + 60)
    assert (changed.finished_at, changed.updated_at, changed.rev) == (LATER, LATER + 60, 3)


async def test_a_new_content_leaves_the_time_of_finishing_alone(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    changed = await update(repository, finished, TodoChanges(content="buy oats"), now=LATER + 60)
    assert (changed.is_finished, changed.finished_at) == (True, LATER)


async def test_reopening_forgets_the_time_and_finishing_anew_notes_a_new_one(
    repository: Repository,
):
    finished = await update(repository, await add(repository), FINISH)
    reopened = await update(repository, finished, REOPEN, now=LATER + 60)
    assert (reopened.is_finished, reopened.finished_at, reopened.rev) == (False, None, 3)
    anew = await update(repository, reopened, FINISH, now=LATER + 120)
    assert (anew.finished_at, anew.rev) == (LATER + 120, 4)
