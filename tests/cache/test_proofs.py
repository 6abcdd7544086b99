"""Who asks together whether what is kept is current, and who asks next."""

from collections.abc import Callable

import pytest
from gate import turn_loop
from proving import Requests

from app.cache.proofs import Asked, Proofs, tell

pytestmark = pytest.mark.gen_test

SCOPE = "public"
ANSWERS = {SCOPE: "stamp", "another": "another stamp"}


class Questions:
    """Takes questions, and answers the one that is out when the test says so."""

    def __init__(self) -> None:
        self.proofs = Proofs(self._put)
        self.put: list[Asked] = []
        self.requests: list[int] = []

    def _put(self, asked: Asked, requests: int) -> None:
        self.put.append(asked)
        self.requests.append(requests)

    def ask(self, scope: str = SCOPE, count: int = 1) -> Requests:
        asker = Requests(count)
        self.proofs.add(scope, asker)
        return asker

    def answer(self) -> None:
        self.proofs.answered()
        for scope, askers in self.put[-1].items():
            tell(askers, ANSWERS[scope])


@pytest.fixture
def questions() -> Questions:
    return Questions()


async def test_nothing_is_put_before_everybody_has_asked_in_this_turn(questions: Questions):
    first = questions.ask()
    assert not questions.put
    assert not first.is_closed


async def test_all_who_ask_in_one_turn_are_asked_for_at_once(questions: Questions):
    askers = [questions.ask(scope) for scope in (SCOPE, "another", SCOPE)]
    await turn_loop()
    assert questions.put == [{SCOPE: [askers[0], askers[2]], "another": [askers[1]]}]


async def test_each_is_told_the_stamp_of_its_scope_once(questions: Questions):
    askers = [questions.ask(scope) for scope in (SCOPE, "another", SCOPE)]
    await turn_loop()
    questions.answer()
    await turn_loop()
    assert [asker.heard for asker in askers] == [["stamp"], ["another stamp"], ["stamp"]]


async def test_who_asks_while_a_question_is_out_waits_for_its_answer(questions: Questions):
    questions.ask()
    await turn_loop()
    late = questions.ask()
    await turn_loop()
    assert len(questions.put) == 1
    assert not late.is_closed


async def test_who_asks_while_a_question_is_out_is_part_of_the_next_and_not_of_that_one(
    questions: Questions,
):
    early = questions.ask()
    await turn_loop()
    late = questions.ask()
    questions.answer()
    assert (early.heard, late.heard) == (["stamp"], [])
    await turn_loop()
    assert questions.put == [{SCOPE: [early]}, {SCOPE: [late]}]
    questions.answer()
    assert (early.heard, late.heard) == (["stamp"], ["stamp"])


async def test_all_who_ask_while_a_question_is_out_share_the_next(questions: Questions):
    questions.ask()
    await turn_loop()
    late = []
    for _ in range(3):
        late.append(questions.ask())
        await turn_loop()
    questions.answer()
    await turn_loop()
    assert questions.put[1:] == [{SCOPE: late}]


async def test_who_asks_in_the_turn_of_the_answer_is_part_of_the_next(questions: Questions):
    questions.ask()
    await turn_loop()
    before = questions.ask()
    questions.answer()
    after = questions.ask()
    await turn_loop()
    assert questions.put[1:] == [{SCOPE: [before, after]}]


async def test_when_nobody_has_asked_meanwhile_nothing_is_put(questions: Questions):
    questions.ask()
    await turn_loop()
    questions.answer()
    await turn_loop()
    assert len(questions.put) == 1
    late = questions.ask()
    await turn_loop()
    assert questions.put[1:] == [{SCOPE: [late]}]


async def test_who_asks_on_hearing_the_answer_is_part_of_the_next(questions: Questions):
    class Again(Requests):
        def hear(self, stamp: str | None) -> None:
            super().hear(stamp)
            more.append(questions.ask())

    more: list[Requests] = []
    questions.proofs.add(SCOPE, Again())
    await turn_loop()
    questions.answer()
    await turn_loop()
    assert questions.put[1:] == [{SCOPE: more}]


@pytest.mark.parametrize("is_told_first", [False, True])
async def test_a_question_that_is_answered_at_once_keeps_nobody_waiting(*, is_told_first: bool):
    def answer(asked: Asked, _: int) -> None:
        put.append(asked)
        if is_told_first:
            tell(asked[SCOPE], "stamp")
        proofs.answered()
        if not is_told_first:
            tell(asked[SCOPE], "stamp")

    class Again(Requests):
        def hear(self, stamp: str | None) -> None:
            super().hear(stamp)
            proofs.add(SCOPE, last)

    put: list[Asked] = []
    proofs, first, last = Proofs(answer), Again(), Requests()
    proofs.add(SCOPE, first)
    await turn_loop()
    assert put == [{SCOPE: [first]}, {SCOPE: [last]}]
    assert last.heard == ["stamp"]


async def test_all_have_been_closed_when_their_question_is_put():
    def put(asked: Asked, _: int) -> None:
        closed.extend(asker.is_closed for asker in askers)
        heard.extend(asker.heard for asker in askers)
        assert list(asked) == [SCOPE, "another"]

    closed: list[bool] = []
    heard: list[list[str | None]] = []
    askers = [Requests() for _ in range(3)]
    proofs = Proofs(put)
    for scope, asker in zip((SCOPE, "another", SCOPE), askers, strict=True):
        proofs.add(scope, asker)
    await turn_loop()
    assert closed == [True] * 3
    assert heard == [[]] * 3


async def test_a_question_tells_for_how_many_requests_it_is(questions: Questions):
    for scope, count in ((SCOPE, 1), ("another", 20), (SCOPE, 300)):
        questions.ask(scope, count)
    await turn_loop()
    questions.ask(SCOPE, 4000)
    questions.answer()
    await turn_loop()
    assert questions.requests == [321, 4000]


def test_everybody_is_told_the_same():
    askers = [Requests(), Requests()]
    assert [asker.close() for asker in askers] == [1, 1]
    tell([*askers], None)
    assert [asker.heard for asker in askers] == [[None], [None]]


async def test_behind_a_fault_nobody_waits_for_ever(
    questions: Questions, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
):
    monkeypatch.setattr(questions.proofs, "_put", lambda *_: 1 / 0)
    expect_log("Exception in callback")
    lost = questions.ask()
    await turn_loop()
    monkeypatch.undo()
    later = questions.ask()
    await turn_loop()
    questions.answer()
    assert (lost.heard, later.heard) == ([None], ["stamp"])
