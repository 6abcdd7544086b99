"""Made-up todos read like real ones."""

import re
import unicodedata
from collections import Counter
from datetime import datetime, timedelta, timezone
from itertools import islice, pairwise
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from app.domain.todo import Todo, TodoDraft
from app.seed import MAX_TODOS_PER_RUN, generate_todos
from app.seed_texts import CHINESE, ENGLISH

NOW = 1_760_000_000.5
RUN = 0xABCDEF0123
DAY_SECONDS = 86_400
CHINA = timezone(timedelta(hours=8))


def make_todos(count: int, *, random_seed: int = 7, run: int = RUN) -> list[Todo]:
    random = Random(random_seed)
    return list(generate_todos(count, owner="public", now=NOW, random=random, run=run))


@pytest.fixture(scope="module")
def todos() -> list[Todo]:
    return make_todos(10_000)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def test_the_same_random_state_gives_the_same_todos():
    assert make_todos(500) == make_todos(500)


def test_another_random_state_gives_other_todos():
    first, second = make_todos(500), make_todos(500, random_seed=8)
    assert [todo.content for todo in first] != [todo.content for todo in second]


def test_another_run_gives_other_ids_and_otherwise_the_same_todos():
    first, second = make_todos(500), make_todos(500, run=RUN + 1)
    assert not {todo.id for todo in first} & {todo.id for todo in second}
    assert [replace(todo, id="") for todo in first] == [replace(todo, id="") for todo in second]


@pytest.mark.parametrize("count", [0, 1, 2, 999])
def test_exactly_the_wanted_number_is_made(count):
    assert len(make_todos(count)) == count


def test_ids_of_one_second_are_unique_and_in_order_in_the_largest_run():
    random = Random(7)
    made = generate_todos(MAX_TODOS_PER_RUN, owner="public", now=NOW, random=random, run=RUN)
    ids = [todo.id for todo in islice(made, 5_000)]
    assert len({one[:8] for one in ids}) < len(ids)
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_ids_are_unique_object_ids_in_the_order_of_creation(todos):
    ids = [todo.id for todo in todos]
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in ids)
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_an_id_carries_the_second_of_creation_and_the_run(todos):
    assert all(int(todo.id[:8], 16) == int(todo.created_at) for todo in todos)
    assert {int(todo.id[8:18], 16) for todo in todos} == {RUN}


@pytest.mark.parametrize("run", [0, 2**40 - 1], ids=["smallest", "largest"])
def test_every_run_of_40_bits_makes_object_ids(run):
    assert all(re.fullmatch("[0-9a-f]{24}", todo.id) for todo in make_todos(10, run=run))


def test_creation_times_rise_strictly_within_the_year_before_now(todos):
    times = [todo.created_at for todo in todos]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[0] >= NOW - 365 * DAY_SECONDS
    assert times[-1] <= NOW


def test_creation_times_rise_strictly_when_random_numbers_are_extreme():
    class Extreme(Random):
        def random(self) -> float:
            self.largest = not getattr(self, "largest", False)
            return 1 - 2**-53 if self.largest else 0.0

    made = list(generate_todos(1_000, owner="public", now=NOW, random=Extreme(7), run=RUN))
    assert all(a.created_at < b.created_at for a, b in pairwise(made))


def test_every_month_of_the_year_has_its_part(todos):
    months = Counter(int((NOW - todo.created_at) / DAY_SECONDS / 30.5) for todo in todos)
    assert set(months) == set(range(12))
    assert min(months.values()) > 600


def test_more_is_planned_by_day_than_by_night_and_on_weekdays_than_at_weekends(todos):
    local = [datetime.fromtimestamp(todo.created_at, CHINA) for todo in todos]
    assert share([time.hour < 6 for time in local]) < 0.06
    assert 0.08 < share([time.weekday() >= 5 for time in local]) < 0.2


def test_about_sixty_percent_are_finished(todos):
    assert 0.57 < share([todo.is_finished for todo in todos]) < 0.63


def test_older_todos_are_finished_more_often(todos):
    assert share([todo.is_finished for todo in todos[:2_500]]) > 0.75
    assert share([todo.is_finished for todo in todos[-2_500:]]) < 0.45


def test_a_finished_todo_has_one_change_between_creation_and_now(todos):
    finished = [todo for todo in todos if todo.is_finished]
    assert all(todo.created_at <= todo.finished_at <= NOW for todo in finished)
    assert all(todo.updated_at == todo.finished_at and todo.rev == 2 for todo in finished)


def test_an_open_todo_is_unchanged_since_creation(todos):
    unfinished = [todo for todo in todos if not todo.is_finished]
    assert all(todo.finished_at is None and todo.rev == 1 for todo in unfinished)
    assert all(todo.updated_at == todo.created_at for todo in unfinished)


def test_half_of_the_texts_are_chinese(todos):
    chinese = [bool(re.search("[\u4e00-\u9fff]", todo.content)) for todo in todos]
    assert 0.47 < share(chinese) < 0.53


def test_ten_thousand_texts_rarely_repeat(todos):
    assert len({todo.content for todo in todos}) > 9_700


def test_texts_run_from_three_characters_to_a_few_hundred(todos):
    lengths = sorted(len(todo.content) for todo in todos)
    assert (lengths[0], lengths[-1] // 100) == (3, 2)


def test_every_text_is_content_the_service_accepts(todos):
    msgspec.convert([{"content": todo.content} for todo in todos], list[TodoDraft])


def test_texts_hold_no_control_characters_but_tab_and_newline(todos):
    controls = {c for todo in todos for c in todo.content if unicodedata.category(c) == "Cc"}
    assert controls <= {"\t", "\n"}


def test_texts_have_no_blank_edges(todos):
    assert all(line == line.rstrip() for todo in todos for line in todo.content.split("\n"))
    assert all(todo.content == todo.content.strip() for todo in todos)


def test_no_text_shows_the_marks_of_its_template(todos):
    assert not [todo.content for todo in todos if re.search("[{}|¶]|%s|%%", todo.content)]


def test_a_shopping_list_names_nothing_twice(todos):
    lists = [todo.content.split("\n") for todo in todos if "Groceries" in todo.content]
    assert lists
    assert all(len(set(lines)) == len(lines) for lines in lists)


@pytest.mark.parametrize("grammar", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_rule_of_a_grammar_is_defined_and_used(grammar):
    named = re.findall(r"\{(\w+)\}", str(grammar))
    assert {"text", *named} == set(grammar)
