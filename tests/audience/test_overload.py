"""Nobody gets more in a week than was decided; who had much is counted before anything is sent."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.utils import timezone

from newsletter.audience import overload, selecting
from newsletter.sending.models import Delivery, Mailing
from tests.workspace import TOML, Workspace

ALERTS = '[lists.alerts]\ntitle = "Alerts"\nwhy = "You asked for alerts."\nurgent = true\n'
LISTS = ["all-residents"]


def sent(workspace: Workspace, slug: str, *addresses: str, ago: int = 1, urgent: bool = False, state: str = "") -> None:
    """An issue that these people got so many days ago."""
    from newsletter.audience.models import Subscriber

    key = "alerts" if urgent else "all-residents"
    mailing = Mailing.objects.create(
        slug=slug,
        rendered={},
        checksum="",
        audience=[key],
        settings={"lists": {key: {"urgent": urgent}}},
        public_id=os.urandom(9),
        started_at=timezone.now() - timedelta(days=ago),
    )
    ids = [
        Delivery.objects.create(
            mailing=mailing,
            subscriber=Subscriber.objects.get(canonical=one),
            canonical=one,
            address=one,
            token=os.urandom(9),
            state=state or "accepted",
            proof="" if state else "answer",
        ).pk
        for one in addresses
    ]
    mailing.first_id, mailing.last_id = min(ids), max(ids)
    mailing.save()


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    workspace.toml("[sending]\nmost_per_week = 2\n", TOML + ALERTS)
    workspace.people("a@example.org", "b@example.org", "c@example.org", lists=("all-residents", "alerts"))
    sent(workspace, "one", "a@example.org", "b@example.org")
    sent(workspace, "two", "a@example.org")
    return workspace


def addresses(workspace: Workspace, audience: list[str]) -> list[str]:
    from django.db import connection

    sql, params = selecting.sql(workspace.config, audience)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT canonical FROM ({sql}) AS person ORDER BY canonical", params)
        return [str(one) for (one,) in cursor.fetchall()]


def test_who_had_enough_is_left_out_and_counted(two: Workspace) -> None:
    found = selecting.explain(two.config, LISTS)
    assert found.sentence() == "All residents 3 − 1 had enough messages this week = 2"
    assert addresses(two, LISTS) == ["b@example.org", "c@example.org"]


def test_the_reason_to_write_all_the_same_lifts_it_and_warns(two: Workspace) -> None:
    with overload.lifted():
        assert selecting.explain(two.config, LISTS).will_get == 3
        assert len(addresses(two, LISTS)) == 3
        [problem] = overload.warnings(two.config, LISTS, 3)
    assert problem.message == "1 of these 3 people had 2 or more messages in the last 7 days"
    assert overload.warnings(two.config, LISTS, 2) == []
    with overload.lifted(False):
        assert selecting.explain(two.config, LISTS).will_get == 2


def test_urgent_lists_know_no_limit_and_do_not_count(two: Workspace) -> None:
    assert selecting.explain(two.config, ["alerts"]).will_get == 3
    assert selecting.explain(two.config, ["alerts", "all-residents"]).will_get == 2
    sent(two, "siren", "b@example.org", "c@example.org", urgent=True)
    sent(two, "horn", "b@example.org", "c@example.org", urgent=True)
    assert selecting.explain(two.config, LISTS).will_get == 2


@pytest.mark.parametrize("state", ["failed", "suppressed", "expired", "cancelled"])
def test_what_did_not_arrive_does_not_count(two: Workspace, state: str) -> None:
    sent(two, "three", "b@example.org", state=state)
    assert selecting.explain(two.config, LISTS).will_get == 2


def test_what_waits_to_be_sent_counts_and_last_week_does_not(two: Workspace) -> None:
    sent(two, "old", "b@example.org", ago=8)
    assert selecting.explain(two.config, LISTS).will_get == 2
    sent(two, "waiting", "b@example.org", state="pending")
    assert selecting.explain(two.config, LISTS).will_get == 1


def test_without_a_limit_everybody_gets_it_and_four_a_week_are_worth_a_word(workspace: Workspace) -> None:
    workspace.people("a@example.org", "b@example.org")
    for slug in ("one", "two", "three"):
        sent(workspace, slug, "a@example.org")
    assert overload.warnings(workspace.config, LISTS, 2) == []
    sent(workspace, "four", "a@example.org")
    [problem] = overload.warnings(workspace.config, LISTS, 2)
    assert problem.message == "1 of these 2 people had 4 or more messages in the last 7 days"
    assert selecting.explain(workspace.config, LISTS).will_get == 2


def test_very_few_people_of_a_segment_are_worth_a_word(workspace: Workspace) -> None:
    from newsletter.audience import segments

    workspace.people("a@example.org")
    segments.save(workspace.config, "mine", "Mine", {"include": [{"list": "all-residents"}]})
    [problem] = overload.warnings(workspace.config, ["mine"], 1)
    assert (problem.code, problem.message) == ("few-people", "Only 1 person would get this")
    assert overload.warnings(workspace.config, LISTS, 1) == []
