"""A `TodoService` on a repository alone."""

from time import monotonic

from app.cache.local_stamps import LocalStamps
from app.metrics import Metrics
from app.services.gaps import Gaps
from app.services.milestones import Milestones
from app.services.ports import Clock, TodoRepository
from app.services.todos import TodoService
from app.services.under_stamp import UnderStamp
from app.services.writing import Creates

MARK_SECONDS = 60.0
WAITING_LIMIT = 100
KNOWN_SECONDS = 60.0


def make_service(repository: TodoRepository, clock: Clock) -> TodoService:
    stamps = LocalStamps(mark_seconds=MARK_SECONDS, monotonic=monotonic)
    creates = Creates(repository, stamps, waiting_limit=WAITING_LIMIT, metrics=Metrics())
    milestones = UnderStamp(Milestones, seconds=KNOWN_SECONDS, monotonic=monotonic)
    gaps = UnderStamp(Gaps, seconds=KNOWN_SECONDS, monotonic=monotonic)
    return TodoService(repository, clock, stamps, creates, milestones=milestones, gaps=gaps)
