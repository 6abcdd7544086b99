"""Answers that are not there yet, for any number of clients who wait for the same."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.httpserver.answer import Answer
    from app.httpserver.context import Context
    from app.httpserver.ready import ReadyChannel


class Later:
    """What a ready function returns when its answer is to come.

    Until `close` is called, others may share it: those who send the same head, often without the
    function being asked again, and those for whose requests the function returns it too. Then
    `answer`, `answer_each` or `decline` must be called, once, and not before the function has
    returned. It has no deadline, and belongs to one server.

    Attributes:
        is_open: others may still join.
        join: lets a connection wait; for the server.
    """

    __slots__ = ("_waiting", "is_open", "join")

    def __init__(self) -> None:
        self.is_open = True
        self._waiting: list[ReadyChannel] = []
        self.join = self._waiting.append  # So the list stays the same one.

    @property
    def clients(self) -> int:
        """How many wait, those who have gone meanwhile included."""
        return len(self._waiting)

    @property
    def contexts(self) -> "list[Context]":
        """Where the requests came from, in the order in which they are answered."""
        return [connection.waiting_context for connection in self._waiting]

    @property
    def owns(self) -> "list[str | None]":
        """The values of the field that is each request's own, in the same order."""
        return [connection.waiting_own for connection in self._waiting]

    @property
    def scheme(self) -> str:
        """The scheme of the first request: http or https."""
        return self._waiting[0].waiting_context.protocol

    def close(self) -> None:
        """Let nobody join any more: who asks from now on needs an answer that is newer."""
        self.is_open = False

    def answer(self, answer: "Answer", own: "Iterable[bytes] | None" = None) -> None:
        """Send an answer to everybody who waits.

        Args:
            answer: what is the same for all.
            own: for each client, in their order, what stands at `Answer.own_at` in its head.

        Raises:
            ValueError: there are more or fewer of them than clients. As with what ``own`` itself
                raises, nothing has been sent, and everybody waits on.
        """
        owns = [b""] * self.clients if own is None else list(own)
        if len(owns) != self.clients:
            raise ValueError(f"{len(owns)} for {self.clients} clients")
        waiting = self._take_all()
        if not waiting:
            return
        # PERF: what is the same for everybody is done once (docs/decisions/0005).
        server = waiting[0].server
        start, rest = answer.around(server.clock.date)
        deadline = server.clock.now + server.options.idle_seconds
        is_draining = server.is_draining
        for connection, mine in zip(waiting, owns, strict=True):
            try:
                if connection.waiting_head.takes_whole_answer and not is_draining:
                    connection.take_whole_answer(start + mine + rest, deadline)
                else:
                    connection.take_answer(answer.filled(mine))
            except Exception as error:  # noqa: BLE001 - the others wait for theirs.
                connection.fail_waiting(error)

    def answer_each(self, answers: "Iterable[Answer]") -> None:
        """Send each who waits an answer of its own, in their order; raises as `answer` does."""
        each = list(answers)
        if len(each) != self.clients:
            raise ValueError(f"{len(each)} for {self.clients} clients")
        for connection, answer in zip(self._take_all(), each, strict=True):
            try:
                connection.take_answer(answer)
            except Exception as error:  # noqa: BLE001 - see `answer`.
                connection.fail_waiting(error)

    def decline(self) -> None:
        """Send everybody who waits to the application."""
        for connection in self._take_all():
            connection.take_no_answer()

    def _take_all(self) -> "list[ReadyChannel]":
        self.close()
        waiting = self._waiting.copy()
        self._waiting.clear()
        if waiting:
            waiting[0].server.statistics.laters.discard(self)
        return waiting
