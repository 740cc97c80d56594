"""The promised time: every hour, or working hours, holidays, and the days on which the clocks change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import working_hours
from newsletter.problems import NewsletterError
from newsletter.replies import clock
from newsletter.replies.clock import Calendar, Stage
from tests.workspace import Workspace

LONDON = ZoneInfo("Europe/London")
OFFICE = Calendar(LONDON, working_hours.parse("Mon-Fri 09:00-17:00"), frozenset({date(2026, 12, 25)}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("asked", "hours", "due"),
    [
        ("2026-11-24 10:00", 4, "2026-11-24 14:00"),
        ("2026-11-24 16:00", 2, "2026-11-25 10:00"),  # over night
        ("2026-11-27 16:00", 2, "2026-11-30 10:00"),  # over the weekend
        ("2026-11-28 12:00", 1, "2026-11-30 10:00"),  # asked on a Saturday
        ("2026-12-24 16:00", 2, "2026-12-28 10:00"),  # a holiday, then a weekend
        ("2026-11-24 09:00", 72, "2026-12-04 17:00"),  # nine working days
        ("2026-11-24 03:00", 8, "2026-11-24 17:00"),  # asked in the night
    ],
)
def test_only_working_hours_count(asked: str, hours: int, due: str) -> None:
    assert OFFICE.add(at(asked), hours) == at(due)
    assert OFFICE.between(at(asked), at(due)) == timedelta(hours=hours)


def test_a_working_day_is_as_long_as_the_wall_clock_says_when_the_clocks_change() -> None:
    nights = Calendar(LONDON, working_hours.parse("Sat-Sun 00:00-24:00"))
    spring, autumn = at("2026-03-29 00:00"), at("2026-10-25 00:00")
    assert nights.between(spring, at("2026-03-30 00:00")) == timedelta(hours=23)
    assert nights.between(autumn, at("2026-10-26 00:00")) == timedelta(hours=25)
    assert OFFICE.add(at("2026-03-27 16:00"), 2) == at("2026-03-30 10:00")  # summer time began on the Sunday


def test_without_a_calendar_every_hour_counts_and_the_clocks_do_not_matter() -> None:
    every = Calendar(LONDON)
    due = every.add(at("2026-03-28 12:00").astimezone(ZoneInfo("UTC")), 72)
    assert due.astimezone(LONDON) == at("2026-03-31 13:00")


def test_a_calendar_in_which_no_hour_counts_has_an_end() -> None:
    shut = Calendar(LONDON, ((),) * 7)
    assert shut.add(at("2026-11-24 10:00"), 1) > at("2036-01-01 00:00")


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_what_is_added_lies_between(minutes: int, hours: int) -> None:
    asked = at("2026-10-20 00:00") + timedelta(minutes=minutes)
    assert OFFICE.between(asked, OFFICE.add(asked, hours)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("gone", "stage", "words"),
    [
        (1, Stage.CALM, "due in 71 hours"),
        (36, Stage.HALF, "due in 36 hours, half the time is gone"),
        (58, Stage.SOON, "due in 14 hours, answer soon"),
        (74, Stage.LATE, "2 hours late"),
        (171, Stage.LATE, "4 days late"),
    ],
)
def test_the_time_left_is_said_in_words(folder: Workspace, gone: int, stage: Stage, words: str) -> None:
    asked = at("2026-11-24 10:00")
    due, now = asked + timedelta(hours=72), asked + timedelta(hours=gone)
    assert clock.stage(asked, due, now, folder.config) is stage
    assert clock.words(due, stage, now) == words


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('calendar = "Mon-Fri 17:00-09:00"', "ends before it begins"),
        ('calendar = "weekdays"', "is not like Mon-Fri"),
        ('calendar = "Mon-Fri 09:00-17:00, Fri 16:00-18:00"', "Fri is there twice"),
        ('calendar = "Mon-Xyz 09:00-17:00"', "is no day"),
        ('calendar = "Mon 09:00-25:00"', "is no time of day"),
        ('holidays = ["Christmas"]', "is not a day"),
        ("hours = 0", "hours cannot be 0"),
    ],
)
def test_a_calendar_that_cannot_be_is_said_with_its_line(folder: Workspace, setting: str, said: str) -> None:
    with pytest.raises(NewsletterError, match=said):
        folder.toml(f"[replies]\n{setting}\n")


def test_the_hours_of_a_week_that_goes_round_the_end() -> None:
    week = working_hours.parse("Sat-Mon 10:00-12:00, Sat 13:00-14:00")
    assert [len(day) for day in week] == [1, 0, 0, 0, 0, 2, 1]
