"""Times as people write them, in the site's time zone, around the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from newsletter.content import when
from newsletter.problems import Problem

ZONE = "Europe/London"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-25 08:00", "2026-11-25T08:00:00+00:00"),
        ("2026-11-25T08:00", "2026-11-25T08:00:00+00:00"),
        ("2026-11-25T08:00:30Z", "2026-11-25T08:00:30+00:00"),
        ("2026-11-25T08:00+02:00", "2026-11-25T06:00:00+00:00"),
        ("tomorrow 8:00", "2026-11-25T08:00:00+00:00"),
        ("Tomorrow at 8.00", "2026-11-25T08:00:00+00:00"),
        ("12:30", "2026-11-24T12:30:00+00:00"),
        ("friday 9:05", "2026-11-27T09:05:00+00:00"),
        ("tuesday 23:59", "2026-12-01T23:59:00+00:00"),
        ("2027-06-01 08:00", "2027-06-01T08:00:00+01:00"),
    ],
)
def test_a_time_is_understood(text: str, meant: str) -> None:
    found = when.read(text, ZONE, NOW)
    assert isinstance(found, datetime)
    assert found == datetime.fromisoformat(meant)


@pytest.mark.parametrize("text", ["", "soon", "8", "25:00", "2026-02-30 08:00", "tomorrow", "08:61", "9999-99-99 1:00"])
def test_what_is_no_time_is_said(text: str) -> None:
    found = when.read(text, ZONE, NOW)
    assert isinstance(found, Problem) and found.code == "bad-time"
    assert "Write 2026-11-25 08:00" in found.hint


def test_a_time_that_has_passed_is_said_with_the_zone() -> None:
    found = when.read("08:00", ZONE, NOW)
    assert isinstance(found, Problem) and found.code == "time-past"
    assert "Tue 24 Nov 2026 08:00 (Europe/London) has passed: it is Tue 24 Nov 2026 10:00" in found.message


def test_front_matter_needs_the_day() -> None:
    found = when.read("tomorrow 8:00", ZONE)
    assert isinstance(found, Problem) and found.code == "bad-time"
    assert isinstance(when.read("2020-01-01 08:00", ZONE), datetime), "whether it has passed is asked when it is sent"


def test_an_hour_that_the_clocks_skip_is_not_guessed() -> None:
    found = when.read("2027-03-28 01:30", ZONE, NOW)
    assert isinstance(found, Problem) and found.code == "time-not-clear"
    assert "does not exist" in found.message
    assert found.hint == "Write 2027-03-28T00:30+00:00 or 2027-03-28T02:30+01:00."


def test_an_hour_that_comes_twice_is_not_guessed() -> None:
    found = when.read("2027-10-31 01:30", ZONE, NOW)
    assert isinstance(found, Problem) and found.code == "time-not-clear"
    assert "comes twice" in found.message
    assert found.hint == "Write 2027-10-31T01:30+01:00 for the first, 2027-10-31T01:30+00:00 for the second time."
    first = when.read("2027-10-31T01:30+01:00", ZONE, NOW)
    second = when.read("2027-10-31T01:30+00:00", ZONE, NOW)
    assert isinstance(first, datetime) and isinstance(second, datetime)
    assert (second.astimezone(UTC) - first.astimezone(UTC)).total_seconds() == 3600
