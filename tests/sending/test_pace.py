"""Pace holds every limit to one mail, over simulated hours; one slow provider slows nobody else."""

from __future__ import annotations

import heapq
import timeit
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Relay
from newsletter.sending.pace import WARM_UP, Metronome, Pace, warm_up_cap, warm_up_day
from newsletter.sending.providers import table

HOUR = 3600.0


def pace(**facts: Any) -> Pace:
    its = {key: facts.pop(key) for key in ("day_used", "warm_up_day", "day_ends", "share") if key in facts}
    return Pace(Relay(host="relay.example", **facts), table(), **its)


def run(
    pace: Pace, groups: list[str], seconds: float, *, answer: float = 0.5, connections: int = 10, begin: float = 0.0
) -> Iterator[tuple[float, str]]:
    """Carry mails to `groups` (each without end) for so long, on a clock that is a number: (moment, group) of each.

    Every connection takes the first group that may start, and is busy for `answer` seconds.
    """
    now, free = begin, connections
    flying: list[tuple[float, int, str]] = []
    number = 0
    while now <= begin + seconds:
        while flying and flying[0][0] <= now:
            pace.done(heapq.heappop(flying)[2], now)
            free += 1
        waits = []
        for group in groups:
            while free and (wait := pace.may(group, now)) == 0.0:
                pace.took(group, now)
                number, free = number + 1, free - 1
                heapq.heappush(flying, (now + answer, number, group))
                yield now, group
            waits.append(wait if free else inf)
        ends = flying[0][0] if flying else inf
        step = min(min(waits), ends - now)
        if step == inf:
            return
        now = max(now + step, now + 1e-6)


def most(moments: list[float], window: float) -> int:
    """The most mails within any window of so many seconds."""
    best = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - window:
            first += 1
        best = max(best, last - first + 1)
    return best


def test_no_limit_costs_about_a_microsecond() -> None:
    quick = pace(providers=False)

    def one() -> None:
        if quick.may("default", 1.0) == 0.0:
            quick.took("default", 1.0)
            quick.done("default", 1.0)

    assert min(timeit.repeat(one, number=2_000, repeat=5)) / 2_000 < 20e-6  # 1 to 2 µs; wide, for a busy machine


@pytest.mark.parametrize("rate", [0.5, 1.0, 14.0, 25.0])
def test_a_relays_rate_holds_to_one_mail_over_hours(rate: float) -> None:
    hours = 3 if rate <= 1 else 0.5
    moments = [moment for moment, _ in run(pace(rate=rate, providers=False), ["default"], hours * HOUR, answer=0.3)]
    assert abs(len(moments) - rate * hours * HOUR) <= 1
    for window in (1.0, 60.0):
        assert most(moments, window) <= rate * window + 1


def test_thirty_a_minute_is_what_microsoft_365_takes() -> None:
    moments = [moment for moment, _ in run(pace(rate=0.5), ["google", "outlook", "default"], 2 * HOUR)]
    assert len(moments) in (3600, 3601)
    assert most(moments, 59.999) <= 30


def test_a_late_start_is_made_up_for_but_a_pause_is_not() -> None:
    metronome = Metronome(10.0)
    metronome.tick(0.0)
    metronome.tick(0.14)  # 40 ms late: the next is due at 0.2 all the same
    assert metronome.wait(0.14) == pytest.approx(0.06)
    metronome.tick(100.0)
    assert metronome.wait(100.0) > 0.04  # not a hundred seconds' worth at once


@given(
    rate=st.floats(0.1, 25.0),
    steps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=200),
)
def test_no_window_holds_more_than_the_rate_and_one(rate: float, steps: list[float]) -> None:
    """Asked at any moments whatever, however late."""
    here, now, moments = pace(rate=rate, providers=False), 0.0, []
    for step in steps:
        now += step
        while here.may("default", now) == 0.0:
            here.took("default", now)
            here.done("default", now)
            moments.append(now)
    for window in (1.0, 10.0, 60.0):
        assert most(moments, window) <= rate * window + 1.5  # half a step may be made up for


@given(day=st.integers(1, 300), used=st.integers(0, 350), share=st.integers(1, 4))
def test_a_day_is_never_overrun_whoever_shares_it(day: int, used: int, share: int) -> None:
    carried = 0
    for _ in range(share):
        here = pace(day=day, day_used={"": used, "google": used}, share=share, providers=False)
        carried += sum(1 for _ in run(here, ["google", "default"], 100.0, answer=0.01))
        assert here.may("google", 101.0) == inf and here.day_left(101.0) == 0
    left = max(0, day - used)
    assert left - share < carried <= left


def test_the_day_begins_anew_at_midnight() -> None:
    here = pace(day=10, providers=False, day_ends=1000.0)
    assert sum(1 for _ in run(here, ["google"], 900.0, answer=0.01)) == 10
    assert here.may("google", 999.9) == inf
    assert here.may("google", 1000.0) == 0.0
    assert sum(1 for _ in run(here, ["google"], 900.0, answer=0.01, begin=1000.0)) == 10
    assert here.day_ends == 1000.0 + 86_400


def test_a_mail_that_never_left_is_given_back_to_the_day() -> None:
    here = pace(day=1)
    here.took("google", 0.0)
    assert here.may("google", 0.0) == inf
    here.done("google", 1.0, sent=False)
    assert here.may("google", 1.0) == 0.0 and here.fresh() == {}


@pytest.mark.parametrize(("group", "limit"), [("google", 5), ("gmx", 4), ("orange", 2), ("default/mx.example", 10)])
def test_a_provider_has_its_own_number_of_mails_at_a_time(group: str, limit: int) -> None:
    here, highest = pace(), 0
    for _ in run(here, [group], 60.0, answer=1.0, connections=50):
        highest = max(highest, here.groups[group].in_flight)
    assert highest == limit


def test_who_is_not_known_yet_is_not_held_up() -> None:
    """A million made-up domains whose MX nobody has looked up are not one provider with ten connections."""
    here = pace()
    for _ in range(1000):
        assert here.may("default", 0.0) == 0.0
        here.took("default", 0.0)


@pytest.mark.parametrize("day", [1, 2, 5])
def test_a_warm_up_holds_for_each_provider_to_the_mail(day: int) -> None:
    here = pace(warm_up_day=day, day_used={"": 30, "google": 30}, day_ends=86_400.0)
    sent: dict[str, int] = {}
    groups = ["google", "yahoo", "default", "default/mx.example"]
    for _, group in run(here, groups, 80_000.0, answer=0.01, connections=20):
        kept = group.partition("/")[0]
        sent[kept] = sent.get(kept, 0) + 1
    cap = WARM_UP[day - 1]
    assert sent == {"google": cap - 30, "yahoo": cap, "default": cap}


def test_the_warm_up_goes_on_by_itself_and_at_most_doubles() -> None:
    here = pace(warm_up_day=1, day_ends=100.0)
    counts = [0, 0, 0]
    for moment, _ in run(here, ["yahoo"], 99.0, answer=0.01):
        counts[0] += moment >= 0
    for day in (1, 2):
        begin = 100.0 + 86_400 * (day - 1)
        counts[day] = sum(1 for _ in run(here, ["yahoo"], 3000.0, answer=0.1, begin=begin))
    assert counts == [50, 100, 500]
    assert [warm_up_cap(10), warm_up_cap(11), warm_up_cap(12)] == [100_000, 200_000, 400_000]
    assert all(later <= 5 * former for former, later in pairwise(WARM_UP))


def test_the_day_of_a_warm_up_is_counted_from_its_first() -> None:
    relay = Relay(host="h", warm_up="2026-11-24")
    assert [warm_up_day(relay, date(2026, 11, day)) for day in (20, 24, 25, 30)] == [1, 1, 2, 7]
    assert warm_up_day(Relay(host="h"), date(2026, 11, 24)) is None


def say(pace: Pace, group: str, said: str, times: int, now: float = 0.0) -> list[str]:
    code, _, text = said.partition(" ")
    return [words for n in range(times) if (words := pace.heard(group, int(code), "", text, now + n))]


def test_google_slows_us_to_ten_a_minute_and_nobody_else() -> None:
    here = pace()
    words = say(here, "google", "421 4.7.28 Our system has detected an unusual rate of unsolicited mail", 2)
    assert words == ["Google slowed us to 10 a minute for 30 minutes"]
    moments: dict[str, list[float]] = {"google": [], "yahoo": []}
    for moment, group in run(here, ["google", "yahoo"], 1700.0, answer=0.5, begin=2.0):
        moments[group].append(moment)
    assert abs(len(moments["google"]) - 10 * 1700 / 60) <= 1
    assert most(moments["google"], 59.9) <= 10
    assert len(moments["yahoo"]) > 1700 * 10 / 0.6
    (google,) = [state for state in here.state(1702.0) if state.key == "google"]
    assert (google.name, google.words) == ("Google", "slowed to 10 a minute")
    assert google.seconds == pytest.approx(1800 + 1 - 1702)
    after = [moment for moment, _ in run(here, ["google"], 60.0, answer=0.5, begin=1802.0)]
    assert len(after) > 500


def test_one_such_answer_is_chance_and_they_must_come_within_an_hour() -> None:
    here = pace()
    assert say(here, "google", "421 4.7.28 unusual rate of mail", 1) == []
    assert say(here, "google", "421 4.7.28 unusual rate of mail", 1, now=3601.0) == []
    assert here.may("google", 3602.0) == 0.0


def test_yahoos_complaints_stop_everything_there_for_two_hours_to_the_second() -> None:
    here = pace()
    words = say(here, "yahoo", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", 1)
    assert words == ["Yahoo asks us to stop; nothing goes there for 2 hours"]
    assert here.may("yahoo", 100.0) == 7100.0
    assert here.may("google", 100.0) == 0.0
    assert here.may("yahoo", 7200.0) == 0.0


def test_the_same_signal_again_lasts_longer_and_says_nothing_twice() -> None:
    here = pace()
    said = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred"
    assert len(say(here, "yahoo", said, 3)) == 1
    assert here.may("yahoo", 2.0) == 7200.0


def test_too_many_connections_leaves_one() -> None:
    here = pace()
    assert say(here, "orange", "421 Trop de connexions", 2) == ["Orange takes one mail at a time for 60 minutes"]
    highest = 0
    for _ in run(here, ["orange"], 60.0, answer=1.0, begin=2.0):
        highest = max(highest, here.groups["orange"].in_flight)
    assert highest == 1


def test_a_small_provider_is_slowed_by_itself() -> None:
    here = pace()
    said = "450 Messages from 192.0.2.1 temporarily deferred"
    assert say(here, "default/mx.small.example", said, 1) == ["mx.small.example slowed us to 1 a minute for 90 minutes"]
    assert 0 < here.may("default/mx.small.example", 1.0) <= 60.0
    assert here.may("default/mx.other.example", 1.0) == here.may("default", 1.0) == 0.0
    assert say(here, "default", said, 9) == []


def test_a_relay_that_is_restarted_is_not_its_recipients_provider() -> None:
    here = pace()
    assert say(here, "google", "421 4.3.2 Service shutting down", 20) == []


def test_a_mailbox_that_is_full_changes_no_pace() -> None:
    here = pace()
    assert say(here, "google", "452 4.2.2 The recipient's inbox is out of storage space", 50) == []
    assert here.may("google", 60.0) == 0.0


def test_without_care_for_providers_only_the_relays_own_limits_count() -> None:
    here = pace(providers=False, day=100, warm_up_day=1)
    assert say(here, "yahoo", "421 [TSS04] temporarily deferred", 5) == []
    assert sum(1 for _ in run(here, ["yahoo"], 100.0, answer=1.0, connections=50)) == 100


def test_what_is_new_is_told_once_for_the_days_book() -> None:
    here = pace()
    for group in ("google", "google", "default/a.example", "default/b.example"):
        here.took(group, 0.0)
    assert here.fresh() == {"google": 2, "default": 2}
    assert here.fresh() == {}
    here.done("google", 1.0, sent=False)
    assert here.fresh() == {}
    for _ in range(3):
        here.took("google", 1.0)
    assert here.fresh() == {"google": 2}


def test_a_share_is_a_part_of_every_limit() -> None:
    here = pace(rate=10.0, share=2)
    moments = [moment for moment, _ in run(here, ["default"], 600.0, answer=0.1)]
    assert abs(len(moments) - 5 * 600) <= 1
    assert here._group("google").connections == 2


def test_messages_over_one_connection_are_the_smaller_number() -> None:
    assert pace(messages=100).messages("icloud") == 5
    assert pace(messages=3).messages("icloud") == 3
    assert pace(messages=0, providers=False).messages("icloud") == 0
