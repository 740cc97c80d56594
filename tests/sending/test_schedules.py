"""When a mailing is due, and what becomes of one that has missed its time: with a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.sending import laws, logbook, mailings, schedules
from newsletter.sending.models import Delivery, LogEntry, Mailing
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import put
from tests.workspace import Workspace

EIGHT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ZONE = "Europe/London"
HOUR = timedelta(hours=1)


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    workspace.people("sam@home.example", "kim@home.example")
    return mailings.approve(workspace.config, {"": a_rendered()}, an_issue())


def test_a_mailing_is_due_from_its_time_on(mailing: Mailing) -> None:
    schedules.plan(mailing, send_at=EIGHT)
    assert schedules.due(EIGHT - timedelta(seconds=1)) == []
    assert schedules.scheduled(mailing, EIGHT - timedelta(seconds=1))
    assert schedules.due(EIGHT) == [mailing]
    assert not schedules.scheduled(mailing, EIGHT)


def test_within_the_undo_delay_nobody_is_due(mailing: Mailing) -> None:
    schedules.plan(mailing, begins=EIGHT)
    assert schedules.due(EIGHT - timedelta(seconds=1)) == []
    assert schedules.due(EIGHT) == [mailing]


def test_a_clock_that_is_put_back_after_the_start_does_not_start_it_again(mailing: Mailing) -> None:
    schedules.plan(mailing, send_at=EIGHT)
    mailings.start(mailing)
    put("deferred")
    Delivery.objects.filter(mailing=mailing).update(due=EIGHT + HOUR)
    assert schedules.due(EIGHT - HOUR * 24) == []
    assert not schedules.move(mailing, EIGHT + HOUR * 24), "what has begun cannot be moved"
    assert schedules.due(EIGHT + HOUR) == [mailing]


def test_people_to_be_tried_again_are_due_at_their_time_and_uncertain_ones_never(mailing: Mailing) -> None:
    mailings.start(mailing)
    put("uncertain", "sam@home.example")
    put("deferred", "kim@home.example")
    Delivery.objects.filter(canonical="kim@home.example").update(due=EIGHT)
    assert schedules.due(EIGHT - HOUR) == []
    assert schedules.due(EIGHT) == [mailing]
    put("failed", "kim@home.example")
    assert schedules.due(EIGHT) == []
    put("failed", "sam@home.example")
    assert schedules.due(EIGHT) == [mailing], "nobody waits: it is called finished"


def test_a_paused_or_stopped_one_is_never_due(mailing: Mailing) -> None:
    mailings.pause(mailing)
    assert schedules.due(EIGHT) == []
    mailings.stop(mailing)
    assert schedules.due(EIGHT) == []


@pytest.mark.parametrize(("late", "aside"), [(HOUR * 2, False), (HOUR * 2 + timedelta(seconds=1), True)])
def test_one_that_is_too_late_is_put_aside_with_the_reason(mailing: Mailing, late: timedelta, aside: bool) -> None:
    schedules.plan(mailing, send_at=EIGHT)
    words = schedules.put_aside(mailing, EIGHT + late, 2, ZONE)
    assert bool(words) is aside
    assert mailing.state == ("paused" if aside else "approved")
    if aside:
        assert "meant for Wed 25 Nov 2026 08:00 (Europe/London), 2 h 0 min ago" in mailing.paused_why
        assert [(entry.what, entry.by) for entry in logbook.last(mailing, 9)] == [("paused", "newsletter")]
        assert schedules.due(EIGHT + late) == []
        assert schedules.missed(mailing, EIGHT + late, 2)


def test_an_hour_of_summer_time_is_not_an_hour_of_lateness(mailing: Mailing) -> None:
    """08:00 before and after the clocks change are 23 hours apart; lateness is counted in real hours."""
    eight = datetime.fromisoformat("2027-03-28T00:30+00:00")  # half an hour before the clocks are put forward
    schedules.plan(mailing, send_at=eight)
    shown = datetime.fromisoformat("2027-03-28T02:45+01:00")  # the clock on the wall has moved by 2 h 15 min
    assert not schedules.put_aside(mailing, shown, 2, ZONE)
    assert schedules.put_aside(mailing, shown + HOUR * 2, 2, ZONE).startswith("it was meant for Sun 28 Mar 2027 00:30")


def test_a_clock_that_jumps_ahead_by_a_day_asks_instead_of_sending(mailing: Mailing) -> None:
    schedules.plan(mailing, send_at=EIGHT)
    assert schedules.put_aside(mailing, EIGHT + HOUR * 24, 2, ZONE)
    assert schedules.back_to_its_time(mailing, EIGHT - HOUR), "the clock was put right, and somebody resumed it"
    assert mailing.state == "approved"
    assert schedules.due(EIGHT) == [mailing]


def test_what_had_not_begun_is_taken_back_and_can_be_sent_anew(workspace: Workspace, mailing: Mailing) -> None:
    schedules.plan(mailing, send_at=EIGHT)
    assert schedules.take_back(mailing) == 2
    assert mailing.state == "stopped" and "(taken back" in mailing.slug
    assert mailings.status(mailing)["cancelled"] == 2
    assert laws.check(mailing) == []
    assert LogEntry.objects.get(mailing=mailing).what == "taken-back"
    anew = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    assert schedules.take_back(anew) == 2, "as often as one likes"


def test_what_has_begun_cannot_be_taken_back(mailing: Mailing) -> None:
    mailings.start(mailing)
    assert schedules.take_back(mailing) is None
    assert mailing.state == "sending" and mailings.status(mailing)["pending"] == 2
