"""The first relay that answers carries; one that does not rests, ever longer, and is tried again."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from newsletter.sending.relays import RESTS, Relays


def test_the_first_one_carries_while_it_works() -> None:
    relays = Relays(["main", "spare"])
    assert (relays.next(0.0), relays.wait(0.0)) == ("main", 0.0)


def test_the_next_one_carries_while_the_first_rests_and_then_the_first_again() -> None:
    relays = Relays(["main", "spare"])
    assert relays.failed("main", "connection refused", 0.0) == (
        "main does not take mail (connection refused); spare carries meanwhile"
    )
    assert (relays.next(0.5), relays.next(1.0)) == ("spare", "main")


def test_the_rests_grow_to_five_minutes_and_begin_anew_after_it_worked() -> None:
    relays, now, rests = Relays(["main"]), 0.0, []
    for _ in range(len(RESTS) + 2):
        relays.failed("main", "no answer", now)
        rests.append(relays.wait(now))
        now += rests[-1]
        assert relays.next(now) == "main"
    assert rests == [*RESTS, RESTS[-1], RESTS[-1]]
    relays.worked("main")
    relays.failed("main", "no answer", now)
    assert relays.wait(now) == RESTS[0]


def test_ten_connections_that_meet_the_same_trouble_are_one_failure() -> None:
    relays = Relays(["main"])
    words = [relays.failed("main", "421 4.3.2 Service shutting down", 0.01 * n) for n in range(10)]
    assert words == ["main does not take mail (421 4.3.2 Service shutting down); trying again in 1 s"] + [""] * 9
    assert relays.wait(0.0) == 1.0


def test_a_day_that_is_used_up_hands_over_until_midnight() -> None:
    relays = Relays(["main", "spare"])
    assert relays.used_up("main", 500.0, "10,000 mails") == "main takes no more mail today (10,000 mails)"
    assert relays.used_up("main", 500.0) == ""
    assert (relays.next(499.0), relays.next(500.0)) == ("spare", "main")


def test_when_all_days_are_used_up_the_wait_is_till_the_first_midnight() -> None:
    relays = Relays(["main", "spare"])
    relays.used_up("main", 500.0)
    relays.used_up("spare", inf)
    assert (relays.next(100.0), relays.wait(100.0)) == ("", 400.0)
    relays = Relays(["main"])
    relays.used_up("main", inf)
    assert relays.wait(0.0) == inf


def test_it_is_hopeless_when_every_relay_has_failed_again_and_again() -> None:
    relays, now = Relays(["main", "spare"]), 0.0
    for n in range(5):
        assert relays.hopeless(now) == "", n
        for key in ("main", "spare"):
            relays.failed(key, "no answer", now)
        now += RESTS[n]
    assert relays.hopeless(now) == "main does not take mail: no answer; spare does not take mail: no answer"
    relays.worked("spare")
    assert relays.hopeless(now) == ""


def test_a_used_up_day_is_not_hopeless_and_does_not_hide_that_the_other_is() -> None:
    relays = Relays(["main", "spare"])
    relays.used_up("main", 1000.0)
    assert relays.hopeless(0.0) == ""
    now = 0.0
    for n in range(5):
        relays.failed("spare", "no answer", now)
        now += RESTS[n]
    assert relays.hopeless(now) == "spare does not take mail: no answer"
    relays.used_up("spare", 1000.0)
    assert relays.hopeless(now) == ""


def test_each_relay_in_words() -> None:
    relays = Relays(["main", "spare", "third"])
    relays.failed("main", "connection refused", 0.0)
    relays.used_up("spare", 50.0, "10,000 a day")
    states = {state.key: (state.words, state.seconds) for state in relays.state(0.0)}
    assert states == {
        "main": ("rests: connection refused", 1.0),
        "spare": ("its day is used up (10,000 a day)", 50.0),
        "third": ("ready", 0.0),
    }


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["fail", "work", "day"]), st.floats(0, 400))))
def test_whoever_is_named_may_carry_and_the_wait_is_true(steps: list[tuple[str, str, float]]) -> None:
    relays, now = Relays(["a", "b"]), 0.0
    for key, what, seconds in steps:
        now += seconds
        if what == "fail":
            relays.failed(key, "no", now)
        elif what == "work":
            relays.worked(key)
        else:
            relays.used_up(key, now + 100)
        wait = relays.wait(now)
        assert bool(relays.next(now)) == (wait == 0.0)
        assert wait <= 300.0 and relays.next(now + wait + 1e-6)
