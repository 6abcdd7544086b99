"""What the clients of a freshness run ask for, and what they make of the answers."""

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import datetime
from random import Random

import msgspec
from freshness_history import Action, Outcome, Page, Seen
from msgspec import Struct

_V0_PAGE_TODOS = 10
_HOT_TODOS = 4
_REMEMBERED_TARGETS = 1000
_GRAVES = 100

_PHASE_NANOSECONDS = 4_000_000_000
_PHASES = 4
_BURST_EVERY_NANOSECONDS = 500_000_000
_BURST_NANOSECONDS = 200_000_000


class _Todo(Struct, gc=False):
    id: str
    content: str
    is_finished: bool
    created_at: datetime
    rev: int


class _List(Struct):
    items: tuple[_Todo, ...]
    next_cursor: str | None


class _ArticleTodo(Struct, gc=False):
    id: str
    content: str
    is_finished: bool
    created_at: float


class _ArticleList(Struct):
    data: tuple[_ArticleTodo, ...]


_todo = msgspec.json.Decoder(_Todo)
_list = msgspec.json.Decoder(_List)
_article_list = msgspec.json.Decoder(_ArticleList)


class Ask(Struct, frozen=True):
    """One request."""

    action: Action
    target: str
    message: bytes
    todo: str = ""
    number: int = 0
    known: Page | None = None
    """What a 304 stands for."""


class Plan:
    """Draws requests, one after the other, with what earlier answers told.

    Most of the time writes come in bursts, with pauses in which the caches fill; a quarter of the
    time they are spread evenly. All clients do the same at the same time.

    Args:
        client: tells the todos and writes of this client process from those of others.
        clients: how many client processes there are.
        random: draws.
        live_todos: how many todos there shall be at a time, of all clients.
        write_share: the part of the requests that are to change something.
    """

    def __init__(
        self, client: int, *, clients: int, random: Random, live_todos: int, write_share: float
    ) -> None:
        self._client = client
        self._clients = clients
        self._random = random
        self._live_todos = live_todos
        self._write_share = write_share
        self._serial = 0
        self._asked = 0
        self._writes = 0
        self._todos: dict[str, str] = {}  # Name -> id, newest last.
        self._deleting: set[str] = set()
        self._graves: deque[tuple[str, str]] = deque(maxlen=_GRAVES)
        self._remembered: OrderedDict[str, tuple[str, bytes, Page]] = OrderedDict()

    def next(self) -> Ask:
        """Return the next request."""
        self._asked += 1
        if self._may_write():
            self._writes += 1
            return self._write()
        return self.read()

    def sweep(self) -> Iterator[Ask]:
        """Give requests for all that there is, and for what was deleted last."""
        yield self._ask_list("/v1/todos?limit=100")
        for start in range(0, self._live_todos + 2 * _V0_PAGE_TODOS, _V0_PAGE_TODOS):
            yield self._ask_list(f"/todo?start={start}")
        for name, todo_id in (*self._todos.items(), *self._graves):
            yield self._ask("read", "GET", f"/v1/todos/{todo_id}", name)

    # Requests.

    def _may_write(self) -> bool:
        if self._writes > self._asked * self._write_share:
            return False
        now = time.monotonic_ns()
        if now // _PHASE_NANOSECONDS % _PHASES == 0:
            return self._random.random() < 1.3 * self._write_share
        in_burst = now % _BURST_EVERY_NANOSECONDS < _BURST_NANOSECONDS
        return in_burst and self._random.random() < 0.9

    def _write(self) -> Ask:
        drawn = self._random.random()
        surplus = len(self._todos) - self._live_todos
        if not self._todos or (drawn < 0.4 and surplus < self._random.randint(-8, 8)):
            return self._create()
        name, todo_id = self._choose()
        if drawn < 0.4:
            return self._delete(name, todo_id)
        target = f"/v1/todos/{todo_id}"
        if drawn < 0.5:
            if drawn < 0.45:
                return self._ask("finish", "PUT", f"/todo/{todo_id}/finish", name)
            return self._ask("finish", "PATCH", target, name, body=b'{"is_finished":true}')
        number = self._number()
        body = b'{"content":"%s %d"}' % (name.encode(), number)
        return self._ask("patch", "PATCH", target, name, number, body=body)

    def _create(self) -> Ask:
        name = f"c{self._client}-{self._number()}"
        if self._random.random() < 0.3:
            body = f"content={name}+0".encode()
            return self._ask("create", "POST", "/todo", name, body=body)
        body = b'{"content":"%s 0"}' % name.encode()
        return self._ask("create", "POST", "/v1/todos", name, body=body)

    def _delete(self, name: str, todo_id: str) -> Ask:
        # Now and then it stays known, so that others change it meanwhile, or delete it too.
        if self._random.random() < 0.7:
            del self._todos[name]
            self._deleting.add(name)
        self._graves.append((name, todo_id))
        old = self._random.random() < 0.3
        return self._ask("delete", "DELETE", f"{'/todo' if old else '/v1/todos'}/{todo_id}", name)

    def read(self) -> Ask:
        """Return a request that changes nothing."""
        drawn = self._random.random()
        if drawn < 0.40 and self._todos:
            dead = drawn < 0.05 and self._graves
            name, todo_id = self._random.choice(self._graves) if dead else self._choose()
            return self._ask("read", "GET", f"/v1/todos/{todo_id}", name)
        if drawn < 0.60:
            target = "/todo"
        elif drawn < 0.70:
            target = f"/todo?start={self._random.randrange(self._live_todos)}"
        elif drawn < 0.93:
            target = f"/v1/todos?limit={self._random.choice((1, 5, 10, 20))}"
        elif drawn < 0.97:
            state = self._random.choice(("true", "false"))
            target = f"/v1/todos?limit=20&is_finished={state}"
        else:
            target = "/v1/todos?limit=100"
        return self._ask_list(target)

    def _choose(self) -> tuple[str, str]:
        """Return a todo: mostly one of the newest, sometimes any."""
        names = list(self._todos)
        if self._random.random() < 0.6:
            names = names[-_HOT_TODOS:]
        name = self._random.choice(names)
        return name, self._todos[name]

    def _number(self) -> int:
        self._serial += 1
        return self._serial * self._clients + self._client

    def _ask_list(self, target: str) -> Ask:
        return self._ask("list", "GET", target)

    def _ask(
        self,
        action: Action,
        method: str,
        target: str,
        todo: str = "",
        number: int = 0,
        *,
        body: bytes = b"",
    ) -> Ask:
        fields = "Host: localhost\r\n"
        known = None
        if method == "GET" and target in self._remembered and self._random.random() < 0.2:
            tag, _, known = self._remembered[target]
            fields += f"If-None-Match: {tag}\r\n"
        elif body:
            kind = "json" if target.startswith("/v1") else "x-www-form-urlencoded"
            fields += f"Content-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n"
        message = f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode() + body
        return Ask(action, target, message, todo, number, known)

    # Answers.

    def understand(
        self, ask: Ask, status: int, head: bytes, body: bytes
    ) -> tuple[Outcome, Page | None]:
        """Return what an answer says, and remember what later requests can use."""
        if status in (200, 201, 204):
            return "done", self._take(ask, head, body)
        if status == 304 and ask.known is not None:
            return "done", ask.known
        if status == 404 and ask.todo and ask.action != "create":
            self._todos.pop(ask.todo, None)
            return "absent", None
        self.give_up(ask)
        # 504 is nginx's: a process behind it does not answer.
        return ("unknown" if status in (503, 504) else "refused"), None

    def _take(self, ask: Ask, head: bytes, body: bytes) -> Page | None:
        if ask.action == "list":
            return self._take_list(ask.target, head, body)
        page = Page((_seen(_todo.decode(body)),)) if body else None
        if ask.action == "create":
            created = _field(head, b"location").rpartition("/")[2]
            self._todos[ask.todo] = created
        elif ask.action == "delete":
            self._todos.pop(ask.todo, None)
            self._deleting.add(ask.todo)
        elif ask.action == "read" and page is not None:
            self._remember(ask.target, _field(head, b"etag"), body, page)
        return page

    def give_up(self, ask: Ask) -> None:
        """Take note that a request was not answered."""
        self._deleting.discard(ask.todo)  # If it is seen again it can be deleted again.

    def _take_list(self, target: str, head: bytes, body: bytes) -> Page:
        remembered = self._remembered.get(target)
        if remembered is not None and remembered[1] == body:
            return remembered[2]
        page = (_v1_page if target.startswith("/v1") else _v0_page)(target, body)
        self._remember(target, _field(head, b"etag"), body, page)
        if page.covers == (None, None):
            self._todos = {
                seen.todo: seen.id
                for seen in reversed(page.items)
                if seen.todo not in self._deleting
            }
        return page

    def _remember(self, target: str, tag: str, body: bytes, page: Page) -> None:
        self._remembered[target] = tag, body, page
        self._remembered.move_to_end(target)
        if len(self._remembered) > _REMEMBERED_TARGETS:
            self._remembered.popitem(last=False)


def _v1_page(target: str, body: bytes) -> Page:
    listed = _list.decode(body)
    items = tuple(map(_seen, listed.items))
    if "is_finished" in target:
        return Page(items)
    return Page(items, (items[-1].created if listed.next_cursor else None, None))


def _v0_page(target: str, body: bytes) -> Page:
    items = tuple(map(_article_seen, _article_list.decode(body).data))
    is_first = target in ("/todo", "/todo?start=0")
    if not items and not is_first:
        return Page(items)
    oldest = items[-1].created if len(items) == _V0_PAGE_TODOS else None
    return Page(items, (oldest, None if is_first else items[0].created))


def _seen(todo: _Todo) -> Seen:
    name, _, number = todo.content.partition(" ")
    created = round(todo.created_at.timestamp() * 1_000_000)
    return Seen(name, todo.rev, int(number), todo.is_finished, created, todo.id)


def _article_seen(todo: _ArticleTodo) -> Seen:
    name, _, number = todo.content.partition(" ")
    return Seen(name, 0, int(number), todo.is_finished, round(todo.created_at * 1_000_000), todo.id)


def _field(head: bytes, name: bytes) -> str:
    at = head.lower().find(b"\r\n" + name + b": ")
    assert at >= 0, f"no {name!r} in {head!r}"
    return head[at + len(name) + 4 :].partition(b"\r\n")[0].decode()
