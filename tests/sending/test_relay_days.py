"""What a relay has taken on a day is counted once, for each provider and in all, whoever counts."""

from __future__ import annotations

from datetime import date

from django.db import connection, transaction

from newsletter.sending import relay_days
from tests.workspace import Workspace

DAY = date(2026, 11, 24)


def add(people: dict[str, int], relay: str = "main", day: date = DAY) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        relay_days.add(cursor, relay, people, day)


def test_a_new_day_is_empty(workspace: Workspace) -> None:
    assert relay_days.day_used("main") == {}


def test_mails_add_up_for_each_provider_and_in_all(workspace: Workspace) -> None:
    add({"google": 3, "default": 2})
    add({"google": 4, "yahoo": 0})
    assert relay_days.day_used("main", DAY) == {"": 9, "google": 7, "default": 2}


def test_days_and_relays_are_kept_apart(workspace: Workspace) -> None:
    add({"google": 1})
    add({"google": 2}, relay="spare")
    add({"google": 4}, day=date(2026, 11, 25))
    assert relay_days.day_used("main", DAY) == {"": 1, "google": 1}


def test_a_transaction_that_fails_counts_nothing(workspace: Workspace) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            relay_days.add(cursor, "main", {"google": 1}, DAY)
            raise RuntimeError
    except RuntimeError:
        pass
    assert relay_days.day_used("main", DAY) == {}
