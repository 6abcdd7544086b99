"""What is known of an owner's todos while a stamp holds."""

from clock import Clock

from app.services.under_stamp import MOST_OWNERS, UnderStamp

SECONDS = 20.0
OWNER = "public"


def known(clock: Clock) -> UnderStamp[list[str]]:
    return UnderStamp[list[str]](list, seconds=SECONDS, monotonic=clock)


def test_what_is_known_is_known_of_one_owner_under_one_stamp(clock: Clock) -> None:
    lists = known(clock)
    lists.get(OWNER, "s1").append("seen")
    assert lists.get(OWNER, "s1") == ["seen"]
    assert lists.get("another", "s1") == []
    assert lists.get(OWNER, "s2") == []
    assert lists.get(OWNER, "s1") == []


def test_what_is_seen_late_under_an_old_stamp_says_nothing_about_the_new_one(clock: Clock) -> None:
    lists = known(clock)
    old = lists.get(OWNER, "s1")
    lists.get(OWNER, "s2")
    old.append("late")
    assert lists.get(OWNER, "s2") == []


def test_without_a_stamp_nothing_is_kept(clock: Clock) -> None:
    lists = known(clock)
    lists.get(OWNER, None).append("seen")
    assert lists.get(OWNER, None) == []


def test_what_is_known_is_forgotten_after_some_time_however_often_it_is_used(clock: Clock) -> None:
    lists = known(clock)
    lists.get(OWNER, "s1").append("first")
    clock.advance(SECONDS - 1)
    lists.get(OWNER, "s1").append("second")
    assert lists.get(OWNER, "s1") == ["first", "second"]
    clock.advance(2)
    assert lists.get(OWNER, "s1") == []


def test_the_owners_who_were_asked_about_last_are_remembered(clock: Clock) -> None:
    lists = known(clock)
    for number in range(MOST_OWNERS):
        lists.get(f"{number}", "s1").append("seen")
    lists.get("0", "s1")
    lists.get("one more", "s1")
    assert lists.get("0", "s1") == ["seen"]
    assert lists.get("1", "s1") == []
