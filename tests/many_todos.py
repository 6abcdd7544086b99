"""Three owners' todos, so many that a query which walks over the wrong ones shows."""

from bson import ObjectId

from app.domain.todo import PUBLIC_OWNER, Todo
from app.storage.todos import MongoTodoRepository

OWNERS = (PUBLIC_OWNER, "second", "third")
TODOS_OF_EACH = 1000
FINISHED_ONE_IN = 10
"""Few enough that a list of these which walks over all the others shows."""
SAME_TIME_AS = 7
"""So many todos share a time: the order by id must come from the index too."""
NOW = 1_700_000_000.0


def make_todos(owner: str) -> list[Todo]:
    return [
        Todo(
            id=str(ObjectId()),
            owner=owner,
            content=f"todo {number}",
            created_at=NOW + number // SAME_TIME_AS,
            is_finished=number % FINISHED_ONE_IN == 0,
            finished_at=NOW + number if number % FINISHED_ONE_IN == 0 else None,
            updated_at=NOW + number,
            rev=1,
        )
        for number in range(TODOS_OF_EACH)
    ]


async def fill(repository: MongoTodoRepository, todos: list[Todo]) -> None:
    """Store the first owner's todos, and as many of each of the others."""
    for owned in (todos, *map(make_todos, OWNERS[1:])):
        await repository.add_many(owned)
