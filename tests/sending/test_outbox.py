"""The ledger's rows: leased with a second look, begun durably, settled only by whoever holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.audience.models import Subscriber, Suppression
from newsletter.sending import laws, mailings
from newsletter.sending.at_once import AtOnce
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Outbox, Result
from newsletter.sending.store import Run, Store
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import begin, put, settle
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(10)]


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    workspace.people(*PEOPLE)
    made = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(made)
    return made


@pytest.fixture
def outbox(mailing: Mailing) -> Iterator[Outbox]:
    store = Store()
    yield Outbox(store, mailing, "test")
    store.close()
    assert laws.check(mailing) == []


def state_of(canonical: str) -> str:
    return Delivery.objects.get(canonical=canonical).state


def test_a_lease_takes_people_in_order_and_never_twice(outbox: Outbox) -> None:
    first, _ = outbox.lease(4)
    second, _ = outbox.lease(100)
    assert [row.address for row in (*first, *second)] == PEOPLE
    assert outbox.lease(100) == ([], 0)


def test_the_unsubscribe_key_comes_with_the_row(outbox: Outbox) -> None:
    rows, _ = outbox.lease(2)
    assert all(row.unsubscribe_token == row.token for row in rows)
    assert rows[0].unsubscribe_token != rows[1].unsubscribe_token


def test_a_person_who_left_since_approval_is_not_leased(outbox: Outbox) -> None:
    subscribing.leave(PEOPLE[3], ["all-residents"], "page")
    rows, suppressed = outbox.lease(100)
    assert suppressed == 1
    assert PEOPLE[3] not in [row.address for row in rows]
    assert Delivery.objects.get(canonical=PEOPLE[3]).reason == "left since approval"


def test_a_person_suppressed_since_approval_is_not_leased(outbox: Outbox) -> None:
    subscribing.suppress(PEOPLE[0], "all", "gone", "staff")
    assert outbox.lease(100)[1] == 1
    assert Delivery.objects.get(canonical=PEOPLE[0]).reason == "on the never-mail list"


def test_an_erased_person_is_not_leased(outbox: Outbox) -> None:
    Subscriber.objects.get(canonical=PEOPLE[0]).delete()
    assert outbox.lease(100)[1] == 1
    assert state_of(PEOPLE[0]) == Delivery.State.SUPPRESSED


def test_who_leaves_between_lease_and_body_is_not_sent_to(outbox: Outbox) -> None:
    (row, *_), _ = outbox.lease(10)
    subscribing.leave(row.canonical, ["all-residents"], "one-click")
    assert not begin(outbox, row)
    assert outbox.give_back([row]) == {row.id}
    assert state_of(row.canonical) == Delivery.State.SUPPRESSED


def test_no_body_starts_after_a_pause(outbox: Outbox, mailing: Mailing) -> None:
    (row, *_), _ = outbox.lease(10)
    mailings.pause(mailing)
    assert not begin(outbox, row)
    assert outbox.give_back([row]) == set()
    assert state_of(row.canonical) == Delivery.State.PENDING


def test_a_result_of_an_older_attempt_changes_nothing(outbox: Outbox) -> None:
    (row, *_), _ = outbox.lease(10)
    begin(outbox, row)
    outbox.recover()
    assert not settle(outbox, row, "accepted", code=250)
    assert state_of(row.canonical) == Delivery.State.UNCERTAIN


def test_a_sender_that_was_frozen_and_wakes_up_changes_nothing(outbox: Outbox) -> None:
    (old, *_), _ = outbox.lease(10)
    outbox.recover()  # another sender took over
    (new, *_), _ = outbox.lease(10)
    assert old.id == new.id
    assert not begin(outbox, old)
    outbox.give_back([old])
    assert not settle(outbox, old, "accepted", code=250)
    assert state_of(old.canonical) == Delivery.State.LEASED
    begin(outbox, new)
    assert not settle(outbox, old, "failed", code=550)
    assert settle(outbox, new, "accepted", code=250)


def test_a_result_is_written_once(outbox: Outbox) -> None:
    (row, *_), _ = outbox.lease(1)
    begin(outbox, row)
    assert settle(outbox, row, "accepted", code=250, text="Ok: queued as A1", remote_id="A1")
    assert not settle(outbox, row, "failed", code=550)
    kept = Delivery.objects.get(pk=row.id)
    assert (kept.state, kept.reply_code, kept.remote_id) == ("accepted", 250, "A1")


def test_a_body_begins_only_when_that_is_on_the_disk(outbox: Outbox) -> None:
    """After a power cut a person whose body had left must not be found waiting."""
    (row,), _ = outbox.lease(1)
    with statements(outbox) as said:
        begin(outbox, row)
        settle(outbox, row, "accepted", code=250)
    told = [line for line in said if "synchronous" in line or "UPDATE sending_delivery" in line]
    full, normal = ("=FULL", "=NORMAL") if outbox.store.is_sqlite else ("= on", "= off")
    assert told[0].endswith(full) and "'inflight'" in told[1]
    assert told[2].endswith(normal) and "proof = " in told[3]


@contextmanager
def statements(outbox: Outbox) -> Iterator[list[str]]:
    """Every statement that the outbox gives to the database, in order."""
    said: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append(sql)
        return execute(sql, params, many, context)

    if outbox.store.is_sqlite:  # its hot statements go past Django's cursor
        outbox.store.rows("SELECT 1")
        held: Any = outbox.store.connection.connection
        held.set_trace_callback(said.append)
        yield said
        held.set_trace_callback(None)
        return
    prepared = Run.prepared

    def noted(self: Run, sql: str, params: Any) -> Any:
        said.append(sql)
        return prepared(self, sql, params)

    say = Store._say

    def saying(self: Store, words: str) -> None:
        said.append(words)
        say(self, words)

    with outbox.store.connection.execute_wrapper(note), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "prepared", noted)
        patch.setattr(Store, "_say", saying)
        yield said


def test_several_results_and_starts_are_one_commit(outbox: Outbox) -> None:
    rows, _ = outbox.lease(6)
    begin(outbox, *rows[:3])
    subscribing.leave(rows[4].canonical, ["all-residents"], "one-click")
    results = [Result(row=row, state="accepted", begun=True, code=250) for row in rows[:3]]
    with statements(outbox) as said:
        begun, kept = outbox.write(rows[3:], results)
    assert begun == {rows[3].id, rows[5].id} and kept == {row.id for row in rows[:3]}
    assert said.count("COMMIT") == 1 if outbox.store.is_sqlite else len(said) == 1
    counts = outbox.counts()
    assert (counts["accepted"], counts["inflight"], counts["leased"]) == (3, 2, 1)


@pytest.mark.parametrize(
    "words", ['550 "no such" user', "C:\\mail {a,b}", "NULL", " ", "", "nicht möglich, später", '"', "\\"]
)
def test_an_answer_is_kept_letter_by_letter(outbox: Outbox, words: str) -> None:
    (one, other), _ = outbox.lease(2)
    begin(outbox, one, other)
    results = [
        Result(one, "failed", True, reason=words, code=550, text=words, remote_id=words, relay=words, provider=words),
        Result(other, "accepted", True, code=250, text="250 plain"),
    ]
    outbox.write((), results)
    kept = Delivery.objects.get(pk=one.id)
    assert {kept.reason, kept.reply_text, kept.remote_id, kept.relay, kept.provider} == {words}
    assert Delivery.objects.get(pk=other.id).reply_text == "250 plain"


def test_of_several_results_only_the_fenced_ones_are_lost(outbox: Outbox) -> None:
    """Nearly always all are kept, so that is tried first; here it is not so."""
    rows, _ = outbox.lease(6)
    begin(outbox, *rows[:4])
    outbox.store.change("UPDATE sending_delivery SET attempt = attempt + 1 WHERE id = %s", [rows[1].id])
    begun, kept = outbox.write(rows[4:], [Result(row, "accepted", True, code=250) for row in rows[:4]])
    assert begun == {row.id for row in rows[4:]}
    assert kept == {rows[0].id, rows[2].id, rows[3].id}
    counts = outbox.counts()
    assert (counts["accepted"], counts["inflight"], counts["leased"]) == (3, 3, 0)
    outbox.store.change("UPDATE sending_mailing SET state = 'paused'")
    more, _ = outbox.lease(2)
    assert outbox.write(more, [Result(rows[4], "accepted", True, code=250)]) == (set(), {rows[4].id})


def test_a_row_begins_once(outbox: Outbox) -> None:
    (row, *_), _ = outbox.lease(1)
    begin(outbox, row)
    assert not begin(outbox, row)


def test_after_a_crash_leased_people_wait_and_begun_ones_are_uncertain(outbox: Outbox) -> None:
    rows, _ = outbox.lease(5)
    begin(outbox, rows[0])
    begin(outbox, rows[1])
    assert outbox.recover() == (3, 2)
    counts = outbox.counts()
    assert (counts["pending"], counts["uncertain"]) == (8, 2)
    again, _ = outbox.lease(100)
    assert {row.address for row in again}.isdisjoint({rows[0].address, rows[1].address})


def test_people_to_try_again_are_leased_when_they_are_due(outbox: Outbox) -> None:
    rows, _ = outbox.lease(10)
    now = timezone.now()
    settle(outbox, rows[0], "deferred", begun=False, due=now + timedelta(minutes=5), tried=True)
    for row in rows[1:]:
        begin(outbox, row)
        settle(outbox, row, "accepted", code=250)
    assert outbox.lease(10, now) == ([], 0)
    assert outbox.next_due() == now + timedelta(minutes=5)
    (row,), _ = outbox.lease(10, now + timedelta(minutes=6))
    assert (row.address, row.tries, row.again) == (rows[0].address, 1, True)


def test_rows_given_back_wait_again(outbox: Outbox) -> None:
    rows, _ = outbox.lease(10)
    begin(outbox, rows[0])
    outbox.give_back(rows)
    counts = outbox.counts()
    assert (counts["pending"], counts["inflight"]) == (9, 1)
    settle(outbox, rows[0], "accepted", code=250)


class Falls:
    """PostgreSQL falls over at a commit, once: `done` before it answers, else before it does anything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("SQLite is a file: there is nobody to fall over")
        self.times = 0
        put = AtOnce.put

        def falling(self_: AtOnce, run: Run, *what: Any) -> Any:
            if self.times:
                return put(self_, run, *what)
            self.times += 1
            if done:
                put(self_, run, *what)
            run.store.connection.connection.close()
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(AtOnce, "put", falling)


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_without_an_answer_is_done_once_and_its_bodies_begin(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    first, second = outbox.lease(2)[0]
    assert begin(outbox, first)
    falls = Falls(monkeypatch, done=done)
    begun, kept = outbox.write([second], [Result(first, "accepted", True, code=250, text="Ok")])
    assert (falls.times, begun, kept) == (1, {second.id}, {first.id})
    assert [state_of(row.canonical) for row in (first, second)] == ["accepted", "inflight"]
    assert (outbox.counts()["accepted"], outbox.counts()["inflight"]) == (1, 1)


def test_who_left_before_a_commit_without_an_answer_is_repeated_does_not_begin(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = outbox.lease(1)[0][0]
    Falls(monkeypatch, done=False)
    Suppression.objects.create(canonical=row.canonical, scope="bulk", reason="unsubscribed")
    assert outbox.write([row], []) == (set(), set())
    assert state_of(row.canonical) == "leased"


def test_what_a_server_that_fell_over_has_forgotten_is_written_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, other = outbox.lease(2)[0]
    assert begin(outbox, row) and settle(outbox, row, "accepted", code=250, text="Ok")
    put("inflight", row.canonical)  # the answer was not waited for on the disk
    put_back = Delivery.objects.get(canonical=row.canonical)
    assert put_back.attempt == row.attempt
    Falls(monkeypatch, done=False)
    assert begin(outbox, other)
    assert [state_of(one.canonical) for one in (row, other)] == ["accepted", "inflight"]
    assert outbox.recover() == (0, 1)
