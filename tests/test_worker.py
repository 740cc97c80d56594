"""The worker in this process: what it carries, what it leaves alone, and that one trouble does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from newsletter.replies.chores import Chore
from newsletter.sending import heartbeats, laws, lock, mailings, schedules
from newsletter.sending.models import Delivery, Mailing
from newsletter.worker import Event, Worker
from tests.balanced import balanced  # noqa: F401 (a fixture for every test)
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import TOML, Workspace

PEOPLE = ("sam@home.example", "kim@home.example", "jo@home.example")


def approved(workspace: Workspace, slug: str = "2026-11-24-test", send_at: datetime | None = None) -> Mailing:
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug))
    schedules.plan(mailing, send_at=send_at)
    return mailing


def relayed(workspace: Workspace, port: int) -> None:
    base = TOML.replace("[mail]", '[mail]\ntransport = "smtp"').replace("[site]", '[site]\nurl = "https://x.example"')
    workspace.toml(f'[relays.main]\nhost = "127.0.0.1"\nport = {port}\nconnections = 2\n', base)


def a_worker(workspace: Workspace, now: Callable[[], datetime] = heartbeats.clock) -> tuple[Worker, list[Event]]:
    events: list[Event] = []
    return Worker(workspace.config, events.append, now=now), events


def fresh(mailing: Mailing) -> Mailing:
    mailing.refresh_from_db()
    assert laws.check(mailing) == []
    return mailing


def test_once_sends_what_is_due_and_ends(workspace: Workspace) -> None:
    mailing = approved(workspace)
    later = approved(workspace, "2026-11-25-later", timezone.now() + timedelta(days=1))
    with Sink() as sink:
        relayed(workspace, sink.port)
        worker, events = a_worker(workspace)
        assert worker.once()
    assert sink.copies() == dict.fromkeys(PEOPLE, 1)
    assert fresh(mailing).state == "finished" and fresh(later).state == "approved"
    assert [event.what for event in events] == ["sending", "ended"]
    assert [entry.what for entry in mailing.log.order_by("pk")] == ["started", "sent"]
    assert heartbeats.alive() == []


def test_a_schedule_is_kept_by_the_clock_that_is_given(workspace: Workspace) -> None:
    eight = timezone.now() + timedelta(days=30)
    mailing = approved(workspace, send_at=eight)
    with Sink() as sink:
        relayed(workspace, sink.port)
        assert a_worker(workspace, lambda: eight - timedelta(seconds=1))[0].once()
        assert not sink.copies()
        assert a_worker(workspace, lambda: eight + timedelta(minutes=5))[0].once()
    assert sink.copies() == dict.fromkeys(PEOPLE, 1)
    assert fresh(mailing).state == "finished"


def test_a_schedule_that_was_missed_by_hours_is_not_sent(workspace: Workspace) -> None:
    eight = timezone.now()
    mailing = approved(workspace, send_at=eight)
    with Sink() as sink:
        relayed(workspace, sink.port)
        worker, events = a_worker(workspace, lambda: eight + timedelta(hours=3))
        assert worker.once()
    assert not sink.copies()
    assert fresh(mailing).state == "paused" and "it was meant for" in mailing.paused_why
    assert [event.what for event in events] == ["paused"]


def test_trouble_with_one_mailing_does_not_stop_the_others(workspace: Workspace) -> None:
    ill = approved(workspace, "2026-11-23-ill")
    Mailing.objects.filter(pk=ill.pk).update(rendered={})  # as a damaged row would be: this cannot be built at all
    well = approved(workspace, "2026-11-24-well")
    with Sink() as sink:
        relayed(workspace, sink.port)
        worker, events = a_worker(workspace)
        assert not worker.once()
    assert fresh(well).state == "finished" and sink.copies() == dict.fromkeys(PEOPLE, 1)
    said = [event.words for event in events if event.what == "trouble"]
    assert len(said) == 1 and said[0].startswith("2026-11-23-ill: ") and "Tried again in 5 s" in said[0]


def test_the_pauses_after_trouble_grow_and_have_an_end(workspace: Workspace) -> None:
    worker, events = a_worker(workspace)
    for _ in range(9):
        worker._in_trouble(1, "2026-11-24-test", "the mail server does not answer")
    assert [event.facts["again_in"] for event in events] == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_mailing_whose_time_to_try_again_has_come_is_gone_on_with(workspace: Workspace) -> None:
    mailing = approved(workspace)
    with Sink(lambda phase, address: "451 4.3.0 later" if phase == "rcpt" and address == PEOPLE[0] else "") as sink:
        relayed(workspace, sink.port)
        worker, events = a_worker(workspace)
        assert worker.once()
    assert fresh(mailing).state == "sending" and "1 to be tried again" in events[-1].words
    due = Delivery.objects.get(mailing=mailing, state="deferred").due
    assert due
    with Sink() as again:
        relayed(workspace, again.port)
        assert a_worker(workspace, lambda: due - timedelta(seconds=1))[0].once()
        assert not again.copies()
        Delivery.objects.filter(mailing=mailing, state="deferred").update(due=timezone.now())
        assert a_worker(workspace, lambda: due)[0].once()
    assert again.copies() == {PEOPLE[0]: 1}
    assert fresh(mailing).state == "finished"


def test_the_regular_work_goes_on_while_a_mailing_is_sent(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailing may last for hours; an answer to somebody in need must not wait for its end."""
    done, waited = threading.Event(), threading.Event()
    mailing = approved(workspace)

    def until_the_chore_is_done(phase: str, recipient: str) -> str:
        if phase == "dot" and not waited.is_set():
            done.clear()
            assert done.wait(20)
            waited.set()
        return ""

    monkeypatch.setattr("newsletter.worker.CHORES", (Chore("answers", 0.1, lambda config: done.set() or ""),))
    with Sink(until_the_chore_is_done) as sink:
        relayed(workspace, sink.port)
        worker, _ = a_worker(workspace)
        thread = threading.Thread(target=running, args=(worker,))
        thread.start()
        try:
            assert waited.wait(30)
            until(lambda: Mailing.objects.get().state == "finished")
        finally:
            worker.ending.set()
            thread.join(30)
    assert sink.copies() == dict.fromkeys(PEOPLE, 1) and fresh(mailing)


def test_when_the_relays_day_is_used_up_it_comes_back_later_and_says_so(workspace: Workspace) -> None:
    mailing = approved(workspace)
    with Sink() as sink:
        relayed(workspace, sink.port)
        settings = workspace.root / "newsletter.toml"
        settings.write_text(settings.read_text().replace("connections = 2\n", "connections = 2\nday = 2\n"))
        worker, events = a_worker(workspace)
        assert not worker.once()
    assert fresh(mailing).state == "sending" and mailings.status(mailing)["pending"] == 1
    said = [event.words for event in events if event.what == "trouble"]
    assert len(said) == 1 and "its day is used up" in said[0] and "Tried again in 5 s" in said[0]


def until(ready: Callable[[], bool], seconds: float = 30) -> None:
    for _ in range(int(seconds / 0.05)):
        if ready():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def test_while_another_sender_is_at_work_it_waits_without_a_word(workspace: Workspace) -> None:
    mailing = approved(workspace)
    worker, events = a_worker(workspace)
    with lock.sending(workspace.config.var, mailing.slug, timezone.localtime()):
        assert worker.once()
    assert events == [] and fresh(mailing).state == "approved"


def test_two_workers_at_once_send_once(workspace: Workspace) -> None:
    workspace.people(*(f"person{number}@home.example" for number in range(300)))
    mailing = approved(workspace)
    with Sink() as sink:
        relayed(workspace, sink.port)
        workers = [a_worker(workspace)[0] for _ in range(2)]
        finished = threading.Event()
        threads = [threading.Thread(target=running, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for _ in range(1000):
            mailing.refresh_from_db()
            if mailing.state == "finished":
                break
            finished.wait(0.02)
        assert len(heartbeats.alive()) == 2
        for worker in workers:
            worker.ending.set()
        for thread in threads:
            thread.join(20)
    assert fresh(mailing).state == "finished"
    assert len(sink.copies()) == 303 and set(sink.copies().values()) == {1}
    assert heartbeats.alive() == []


def running(worker: Worker) -> None:
    try:
        worker.run()
    finally:
        connection.close()


@pytest.mark.parametrize("verb", [mailings.pause, mailings.stop])
def test_a_mailing_that_is_paused_or_stopped_does_not_keep_it_from_the_others(
    workspace: Workspace, verb: Callable[[Mailing], object]
) -> None:
    workspace.people(*(f"person{number}@home.example" for number in range(400)))
    mailing = approved(workspace)
    halted = threading.Event()

    def slow(phase: str, address: str) -> str:
        if phase == "dot" and not halted.is_set():
            halted.set()
            verb(Mailing.objects.get(pk=mailing.pk))
            connection.close()
        return ""

    with Sink(slow) as sink:
        relayed(workspace, sink.port)
        worker, events = a_worker(workspace)
        assert worker.once(), events
    mailing.refresh_from_db()
    assert mailing.state in ("paused", "stopped")
    assert 0 < len(sink.copies()) < 403


def test_the_command_ends_by_itself_with_once(workspace: Workspace) -> None:
    approved(workspace)
    ran = workspace.run("worker", "--once", "--json")
    assert ran.exit == 0, ran.out + ran.err
    assert '"event": "sending"' in ran.out and '"event": "ended"' in ran.out
