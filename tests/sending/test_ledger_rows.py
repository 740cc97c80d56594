"""How rows of the ledger are found: nobody is lost behind the mark, and no index moves with the state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.sending import mailings, settling
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Outbox
from newsletter.sending.store import Run, Store
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import begin, settle
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(30)]
MOVING = {"state", "attempt", "worker", "leased_until", "tries", "changed", "reason", "reply_code", "reply_text"}


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    workspace.people(*PEOPLE)
    made = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(made)
    return made


@pytest.fixture
def both(mailing: Mailing) -> Iterator[tuple[Outbox, Outbox]]:
    stores = Store(), Store()
    yield Outbox(stores[0], mailing, "first"), Outbox(stores[1], mailing, "second")
    for store in stores:
        store.close()


def test_who_was_given_back_by_another_behind_our_mark_is_found(both: tuple[Outbox, Outbox]) -> None:
    ours, theirs = both
    early, _ = theirs.lease(5)
    rest, _ = ours.lease(100)
    assert len(rest) == len(PEOPLE) - 5
    assert ours.lease(100) == ([], 0)
    theirs.give_back(early[1:3])
    again, _ = ours.lease(100)
    assert [row.id for row in again] == [row.id for row in early[1:3]]
    assert ours.lease(100) == ([], 0)


def test_who_was_given_back_by_another_is_found_while_others_are_tried_again(both: tuple[Outbox, Outbox]) -> None:
    """A lease that always finds somebody due must not keep the ones behind its mark waiting for ever."""
    ours, theirs = both
    early, _ = theirs.lease(5)
    rest, _ = ours.lease(100)
    theirs.give_back(early)
    now = timezone.now()
    for row in rest[:3]:
        settle(ours, row, "deferred", begun=False, due=now - timedelta(minutes=1), tried=True)
    again, _ = ours.lease(100, now)
    assert {row.id for row in again} == {row.id for row in (*early, *rest[:3])}


def test_what_we_give_back_ourselves_is_taken_first_and_without_a_walk(both: tuple[Outbox, Outbox]) -> None:
    ours, _ = both
    rows, _ = ours.lease(10)
    ours.give_back(rows[2:4])
    again, _ = ours.lease(4)
    assert [row.id for row in again] == [rows[2].id, rows[3].id, rows[9].id + 1, rows[9].id + 2]
    assert ours.taker.back == set()


def test_what_we_gave_back_and_another_took_is_not_taken_twice(both: tuple[Outbox, Outbox]) -> None:
    ours, theirs = both
    rows, _ = ours.lease(10)
    ours.give_back(rows)
    theirs.lease(100)
    assert ours.lease(100) == ([], 0)


def test_nobody_who_waits_is_left_after_a_person_decides_again(both: tuple[Outbox, Outbox], mailing: Mailing) -> None:
    ours, theirs = both
    first, *_ = ours.lease(100)[0]
    begin(ours, first)
    assert theirs.recover() == (len(PEOPLE) - 1, 1)
    assert len(ours.lease(100)[0]) == len(PEOPLE) - 1
    assert settling.decide(mailing, "again", "Ann") == 1
    assert [row.id for row in ours.lease(100)[0]] == [first.id]


def test_a_mailing_takes_only_its_own_rows(workspace: Workspace, mailing: Mailing) -> None:
    other = mailings.approve(workspace.config, {"": a_rendered("2026-11-25-next")}, an_issue("2026-11-25-next"))
    mailings.start(other)
    Mailing.objects.filter(pk=mailing.pk).update(last_id=other.last_id)  # as when two were approved at once
    mailing.refresh_from_db()
    store = Store()
    rows, _ = Outbox(store, mailing, "first").lease(1000)
    assert len(rows) == len(PEOPLE) == mailing.frozen
    assert (other.first_id, other.last_id) == (mailing.first_id + len(PEOPLE), mailing.last_id)
    assert other.rows().count() == len(PEOPLE)
    store.close()


def test_a_row_that_is_slow_stays_ours(both: tuple[Outbox, Outbox]) -> None:
    ours, theirs = both
    rows, _ = ours.lease(3)
    Delivery.objects.filter(pk__in=[row.id for row in rows]).update(leased_until=timezone.now() - timedelta(hours=1))
    ours.renew()
    assert theirs.recover(expired=True) == (0, 0)
    assert begin(ours, *rows)


def test_who_leaves_by_another_program_between_lease_and_body_is_noticed(both: tuple[Outbox, Outbox]) -> None:
    """SQLite asks again only when somebody else has written: here somebody has, and somebody else has not."""
    ours, _ = both
    rows, _ = ours.lease(8)
    assert begin(ours, *rows[:6]), "nothing was written by others"
    subscribing.leave(rows[6].canonical, ["all-residents"], "one-click")
    begun, _ = ours.write(rows[6:], ())
    assert begun == {rows[7].id}


def test_who_leaves_in_a_transaction_that_was_under_way_at_the_lease_is_noticed(both: tuple[Outbox, Outbox]) -> None:
    ours, _ = both
    if ours.store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    with transaction.atomic():
        subscribing.leave(PEOPLE[6], ["all-residents"], "one-click")
        rows, _ = ours.lease(8)
    assert PEOPLE[6] in [row.canonical for row in rows], "nobody else could know yet"
    begun, _ = ours.write(rows, ())
    assert begun == {row.id for row in rows if row.canonical != PEOPLE[6]}


def test_what_we_write_ourselves_is_no_reason_to_ask_again(both: tuple[Outbox, Outbox]) -> None:
    ours, theirs = both

    def asked_once() -> bool:
        rows, _ = ours.lease(1)
        begin(ours, *rows)
        settle(ours, rows[0], "accepted", code=250)
        return ours.store.together(Run.version) == asked

    for _ in range(10):  # PostgreSQL counts its own housekeeping, too: then it is asked once more than needed
        rows, _ = ours.lease(1)
        asked = ours.held[rows[0].id]
        if asked >= 0 and asked_once():
            break
    else:
        pytest.fail("it would be asked every time")
    theirs.lease(1)
    assert ours.store.together(Run.version) != asked


def test_no_index_holds_what_moves_with_every_mail() -> None:
    """PostgreSQL counts the columns of conditions, too: one of these, and no update is HOT any more."""
    for index in Delivery._meta.indexes:
        named = {str(name).lstrip("-") for name in index.fields}
        named |= {str(child[0]).split("__")[0] for child in (index.condition.children if index.condition else ())}
        assert named.isdisjoint(MOVING), index.name


def test_steps_of_a_row_touch_no_index(both: tuple[Outbox, Outbox]) -> None:
    """Counted by PostgreSQL itself."""
    ours, _ = both
    if ours.store.is_sqlite:
        pytest.skip("SQLite has no HOT updates")
    with connection.cursor() as cursor:
        before = updates(cursor)
        rows, _ = ours.lease(100)
        begin(ours, *rows)
        for row in rows:
            settle(ours, row, "accepted", code=250, text="2.0.0 Ok: queued")
        ours.store.close()  # tells its numbers
        deadline = time.monotonic() + 10
        while (now := updates(cursor))[0] < before[0] + 3 * len(PEOPLE) and time.monotonic() < deadline:
            cursor.execute("SELECT pg_sleep(0.05)")
    assert now[0] - before[0] == 3 * len(PEOPLE)
    assert now[1] - before[1] >= 0.9 * 3 * len(PEOPLE)


def updates(cursor: Any) -> tuple[int, int]:
    """(all, HOT) of the deliveries."""
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sending_delivery'")
    row = cursor.fetchone()
    return int(row[0]), int(row[1])


def test_every_statement_of_a_mail_goes_by_a_key(both: tuple[Outbox, Outbox], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lease, lease of those due, those given back, begin, settle: none reads the table or sorts it."""
    ours, _ = both
    said: list[tuple[str, Any]] = []
    for name in ("all", "each", "prepared"):
        monkeypatch.setattr(Run, name, noting(getattr(Run, name), said))
    rows, _ = ours.lease(10)
    ours.give_back(rows[:2])
    begin(ours, *rows[2:])
    settle(ours, rows[2], "accepted", code=250)
    settle(ours, rows[3], "deferred", due=timezone.now() - timedelta(minutes=1), tried=True)
    ours.lease(100)
    ours.renew()
    sqlite = ours.store.is_sqlite
    hot = {sql: params for sql, params in said if "sending_delivery" in sql}
    assert len(hot) >= 5
    with connection.cursor() as cursor:
        if not sqlite:
            cursor.execute("SET enable_seqscan = off")  # tables of thirty rows are read whole otherwise
        for sql, params in hot.items():
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{sql}", params)
            plan = " | ".join(str(row[-1]) for row in cursor.fetchall())
            assert "Seq Scan on sending_delivery" not in plan, plan
            assert not sqlite or not any(f"SCAN {name}" in plan for name in ("d", "sending_delivery")), plan
            assert "TEMP B-TREE" not in plan, plan


def noting(method: Any, said: list[tuple[str, Any]]) -> Any:
    """Keeps each statement, with the values of one of its rows."""

    def noted(self: Run, sql: str, params: Any = ()) -> Any:
        if params and not (isinstance(params[0], tuple) and not params[0]):
            said.append((sql, list(params[0]) if isinstance(params[0], tuple) else list(params)))
        return method(self, sql, params)

    return noted
