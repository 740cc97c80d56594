"""Importing while others write: whoever comes, leaves or is erased at that moment, nobody is half there or lost.

SQLite has one writer, so that nothing happens between its comparing and writing; these tests are PostgreSQL's.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from newsletter.audience import erasing, importing, never, staging, subscribing, traits
from newsletter.audience.importing import Counts
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription
from tests.audience.test_importing import CONSENT, everything, imported, newsletter, plan_of
from tests.workspace import Workspace


def meanwhile(plan: importing.Plan, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Counts:
    """Import while somebody else does something, once, after the batch was compared and before it is written."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: nothing happens between its comparing and writing")
    compared, waiting = plan._stage._classify_again, [happens]

    def elsewhere() -> None:
        try:
            waiting.pop()()
        finally:
            connection.close()  # this thread's own

    def compare(low: int, high: int) -> dict[str, int]:
        verdicts = compared(low, high)
        if waiting:
            together = threading.Thread(target=elsewhere)
            together.start()
            together.join()
        return verdicts

    monkeypatch.setattr(plan._stage, "_classify_again", compare)
    counts = importing.run(plan).counts
    assert counts.adds_up and not waiting
    assert not Subscription.objects.exclude(subscriber__in=Subscriber.objects.all()).exists(), "a choice of nobody"
    assert traits.differing() == 0
    return counts


def test_who_signs_up_while_the_batch_with_them_is_written_is_known_then(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(workspace, "email,first_name,ward\nsam@example.org,Sam,North\njo@example.org,Jo,\n")
    counts = meanwhile(
        plan, monkeypatch, lambda: subscribing.ask("sam@example.org", "Sam@example.org", ["monthly"], "page")
    )
    assert (counts.new, counts.updated) == (1, 1)
    sam = Subscriber.objects.get(canonical="sam@example.org")
    assert (sam.address, sam.first_name, sam.attributes) == ("Sam@example.org", "Sam", {"ward": "North"})
    assert sorted(sam.subscriptions.values_list("list__key", "state")) == [
        ("all-residents", "confirmed"),
        ("monthly", "pending"),
    ]
    proofs = ConsentEvent.objects.filter(canonical=sam.canonical).order_by("id").values_list("list_key", "event")
    assert list(proofs) == [("monthly", "asked"), ("all-residents", "joined")]


def test_who_leaves_while_the_batch_with_them_is_written_stays_off(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.people("sam@example.org")
    plan = plan_of(workspace, "email,ward\nsam@example.org,North\n", "monthly")
    meanwhile(plan, monkeypatch, lambda: subscribing.leave("sam@example.org", ["monthly"], "page"))
    sam = Subscriber.objects.get()
    assert sam.attributes == {"ward": "North"}
    assert sam.subscriptions.get(list__key="monthly").state == "left"
    events = ConsentEvent.objects.filter(list_key="monthly").values_list("event", "channel")
    assert list(events) == [("left", "page")]


def test_whose_record_is_edited_while_the_batch_with_them_is_written_keeps_no_trait_of_before(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(workspace, "email,ward,tags\nsam@example.org,North,young\n")
    plan = plan_of(workspace, "email,ward\nsam@example.org,South\n")
    meanwhile(plan, monkeypatch, lambda: subscribing.edit("sam@example.org", {"ward": "West", "tags": "old"}, "page"))
    assert Subscriber.objects.get().attributes["ward"] == "South"


def test_who_comes_in_by_another_way_again_and_again_stops_the_import_before_anything_is_half_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(workspace, "email\nsam@example.org\njo@example.org\n")
    workspace.people("sam@example.org")
    before = everything()
    monkeypatch.setattr(plan._stage, "_classify_again", lambda low, high: {"new": 2})  # never sees them
    with pytest.raises(IntegrityError):
        importing.run(plan)
    assert everything() == before


def test_kill_9_in_the_middle_of_a_batch_undoes_that_batch_and_no_other(workspace: Workspace) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: nobody can stop it in the middle of a batch")
    people = 25_000
    path = workspace.write(
        "big.csv", "email,ward\n" + "".join(f"p{n:06}@example.org,W{n % 7}\n" for n in range(people))
    )
    with transaction.atomic():  # the second batch waits for us to say whether this person is there
        Subscriber.objects.create(canonical="p015000@example.org", address="p015000@example.org")
        running = newsletter(workspace, "recipients", "import", str(path), "--list", "monthly", "--yes", *CONSENT)
        limit = time.monotonic() + 60
        with connection.cursor() as cursor:
            while running.poll() is None and time.monotonic() < limit:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
                if cursor.fetchone()[0]:
                    break
                time.sleep(0.005)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        transaction.set_rollback(True)
    plan = importing.plan(path, workspace.config, "monthly")
    assert (plan.counts.new, plan.counts.unchanged) == (people - staging.BATCH, staging.BATCH)
    assert Subscriber.objects.count() == Subscription.objects.count() == ConsentEvent.objects.count() == staging.BATCH
    assert traits.differing() == 0
    importing.run(plan)
    assert Subscriber.objects.count() == Subscription.objects.count() == ConsentEvent.objects.count() == people
    assert traits.differing() == 0


def test_an_import_does_not_believe_numbers_taken_in_the_middle_of_another_one(workspace: Workspace) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's planner needs no numbers here")
    workspace.people(*(f"old{n}@example.org" for n in range(300)))
    path = workspace.write("people.csv", "email\n" + "".join(f"p{n}@example.org\n" for n in range(20)))
    stage = importing.plan(path, workspace.config, "monthly")._stage
    stage.name_lists(["monthly"], make=True)
    counted = "SELECT reltuples FROM pg_class WHERE relname = 'audience_subscriber'"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = 0 WHERE relname = 'audience_subscriber'")  # as ANALYZE left it
        stage.apply(0, stage.size, timezone.now(), None, "")
        cursor.execute(counted)
        assert cursor.fetchone()[0] == 300


def test_who_is_erased_while_a_batch_is_written_leaves_no_proof_behind(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    workspace.people("sam@example.org", lists=("monthly",))
    plan = plan_of(workspace, "email\nsam@example.org\n")
    eraser = threading.Thread(target=_erase, args=("sam@example.org",))
    compare = staging.Stage._classify_again

    def then_erased(stage: staging.Stage, low: int, high: int) -> dict[str, int]:
        found = compare(stage, low, high)
        eraser.start()
        while eraser.is_alive() and not stage._fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
            eraser.join(0.01)  # until it is done, or waits for us
        return found

    monkeypatch.setattr(staging.Stage, "_classify_again", then_erased)
    importing.run(plan)
    eraser.join(60)
    assert not Subscriber.objects.exists() and not Subscription.objects.exists()
    assert [one.canonical for one in ConsentEvent.objects.all()] == [never.hashed("sam@example.org")]


def _erase(canonical: str) -> None:
    try:
        erasing.erase([canonical])
    finally:
        connection.close()
