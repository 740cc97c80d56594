"""A restored backup of the database is noticed before a single mail leaves, and recovered without a second copy."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from newsletter.mail.tokens import Keyring, Purpose, new_id
from newsletter.problems import Exit, NewsletterError
from newsletter.replies import chores
from newsletter.sending import again, epoch, laws, mailings, notices
from newsletter.sending.models import Delivery, LedgerEpoch, Mailing, Notice
from newsletter.sending.outbox import Outbox
from newsletter.sending.store import Store
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import begin, settle
from tests.workspace import Workspace


def started(workspace: Workspace, number: int = 6, slug: str = "2026-11-24-test") -> Mailing:
    workspace.people(*[f"person{n}@home.example" for n in range(number)])
    mailing = mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug))
    mailings.start(mailing)
    return mailing


def refused(workspace: Workspace) -> str:
    with pytest.raises(NewsletterError) as caught:
        epoch.guard(workspace.config)
    assert caught.value.problems[0].code == "ledger-restored" and caught.value.exit == Exit.REFUSED
    return str(caught.value)


def copy(workspace: Workspace) -> Path:
    """A sound copy, as the how-to makes it."""
    target = workspace.root / "backup.db"
    source = sqlite3.connect(workspace.root / "var" / "newsletter.db")
    kept = sqlite3.connect(target)
    source.backup(kept)
    source.close()
    kept.close()
    return target


def restore(workspace: Workspace, kept: Path) -> None:
    connections.close_all()
    for end in ("-wal", "-shm"):
        (workspace.root / "var" / f"newsletter.db{end}").unlink(missing_ok=True)
    shutil.copyfile(kept, workspace.root / "var" / "newsletter.db")
    workspace.ready()


def test_first_use_writes_both_and_every_mark_moves_both(workspace: Workspace) -> None:
    mailing = started(workspace)
    epoch.guard(workspace.config)
    for people in range(3):
        epoch.mark(workspace.config, mailing, people)
        epoch.guard(workspace.config)
    lines = epoch.path(workspace.config).read_text().splitlines()
    assert len(lines) == 4
    last = epoch.last_mark(workspace.config)
    assert last and (last.slug, last.accepted, last.number) == (mailing.slug, 2, 3)
    assert LedgerEpoch.objects.get().epoch == last.epoch


def test_a_crash_between_the_two_writes_is_no_restored_backup(workspace: Workspace) -> None:
    mailing = started(workspace)
    epoch.guard(workspace.config)
    epoch.mark(workspace.config, mailing, 1)
    file = epoch.path(workspace.config)
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])  # the power failed while the line was written
    epoch.guard(workspace.config)
    epoch.mark(workspace.config, mailing, 2)
    last = epoch.last_mark(workspace.config)
    assert last and last.accepted == 2
    epoch.guard(workspace.config)


@pytest.mark.sqlite
def test_an_older_copy_a_foreign_database_and_a_lost_journal_are_refused(workspace: Workspace) -> None:
    mailing = started(workspace)
    empty = shutil.copyfile(copy(workspace), workspace.root / "empty.db")
    epoch.guard(workspace.config)
    kept = shutil.copyfile(copy(workspace), workspace.root / "first.db")
    epoch.mark(workspace.config, mailing, 1)
    newest = shutil.copyfile(copy(workspace), workspace.root / "newest.db")
    restore(workspace, kept)
    assert "older copy" in refused(workspace)
    restore(workspace, empty)
    assert "older than" in refused(workspace)
    restore(workspace, newest)
    epoch.guard(workspace.config)
    file = epoch.path(workspace.config)
    journal = file.read_bytes()
    file.unlink()
    assert "missing" in refused(workspace)
    file.write_bytes(journal)
    epoch.renew(workspace.config)
    restore(workspace, newest)
    assert "not the one" in refused(workspace)


def send(mailing: Mailing, number: int) -> None:
    """Hand `number` people over, as a drain does."""
    store = Store()
    try:
        outbox = Outbox(store, mailing, worker="test")
        for row in outbox.lease(number)[0]:
            begin(outbox, row)
            settle(outbox, row, "accepted", code=250, text="Ok", remote_id="A1")
    finally:
        store.close()


def log_of(workspace: Workspace, moment: Callable[[float], str], people: Sequence[Delivery | Notice]) -> Path:
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    lines = [f"{moment(-10)} mta postfix/anvil[7]: statistics\n"]
    for number, row in enumerate(people):
        token, queue = keyring.make(Purpose.MESSAGE_ID, bytes(row.token or b"")), f"4F1A2B{number:04d}"
        lines.append(f"{moment(0)} mta postfix/cleanup[8]: {queue}: message-id=<{token}@reply.council.example>\n")
        lines.append(f"{moment(0)} mta postfix/qmgr[9]: {queue}: from=<b@x>, size=1, nrcpt=1 (queue active)\n")
    lines.append(f"{moment(10)} mta postfix/anvil[7]: statistics\n")
    return workspace.write("mail.log", "".join(lines))


def restored(workspace: Workspace) -> tuple[Mailing, list[Delivery]]:
    """Two of six were sent before the copy and three after it; then the copy was put back."""
    mailing = started(workspace)
    epoch.guard(workspace.config)
    epoch.mark(workspace.config, mailing, 0)
    send(mailing, 2)
    kept = copy(workspace)
    epoch.mark(workspace.config, mailing, 2)
    send(mailing, 3)
    epoch.mark(workspace.config, mailing, 5)
    sent = list(Delivery.objects.filter(state="accepted"))
    assert len(sent) == 5
    restore(workspace, kept)
    refused(workspace)
    return mailing, sent


def now(minutes: float) -> str:
    return (timezone.now() + timedelta(minutes=minutes)).isoformat()


@pytest.mark.sqlite
def test_with_the_log_whoever_got_it_is_known_and_the_rest_goes_on(workspace: Workspace) -> None:
    mailing, sent = restored(workspace)
    log = log_of(workspace, now, sent)
    ran = workspace.run("recover", "--postfix-log", str(log), "--dry-run")
    assert ran.exit == 0 and "they have it  3" in ran.out, ran.out + ran.err
    refused(workspace)
    ran = workspace.run("recover", "--postfix-log", str(log), "--yes")
    assert ran.exit == 0, ran.out + ran.err
    epoch.guard(workspace.config)
    counts = mailings.status(mailing)
    assert (counts["accepted"], counts["pending"], counts["uncertain"]) == (5, 1, 0)
    assert set(Delivery.objects.filter(state="accepted").values_list("pk", flat=True)) == {row.pk for row in sent}
    assert laws.check(mailing) == []
    assert "nothing to recover" in workspace.run("recover").out


@pytest.mark.sqlite
def test_without_a_log_or_with_too_short_a_one_nobody_who_waits_is_sent_to(workspace: Workspace) -> None:
    mailing, sent = restored(workspace)
    log = log_of(workspace, lambda minutes: now(0), sent[:4])
    ran = workspace.run("recover", "--postfix-log", str(log), "--yes")
    assert ran.exit == 0 and "does not reach" in ran.out, ran.out + ran.err
    counts = mailings.status(mailing)
    assert (counts["accepted"], counts["pending"], counts["uncertain"]) == (4, 0, 2)
    assert laws.check(mailing) == []


@pytest.mark.sqlite
def test_it_must_be_agreed_and_without_a_log_all_who_wait_are_uncertain(workspace: Workspace) -> None:
    mailing, _ = restored(workspace)
    ran = workspace.run("recover")
    assert ran.exit == 4 and "[must-be-agreed]" in ran.err
    refused(workspace)
    assert workspace.run("recover", "--yes").exit == 0
    assert mailings.status(mailing)["uncertain"] == 4
    epoch.guard(workspace.config)


@pytest.mark.sqlite
def test_an_issue_that_the_copy_does_not_know_cannot_be_sent_a_second_time(workspace: Workspace) -> None:
    epoch.guard(workspace.config)
    kept = copy(workspace)
    mailing = started(workspace, slug="2026-11-25-later")
    epoch.mark(workspace.config, mailing, 0)
    send(mailing, 6)
    epoch.mark(workspace.config, mailing, 6)
    restore(workspace, kept)
    ran = workspace.run("recover", "--yes")
    assert ran.exit == 0 and "2026-11-25-later was sent (6 people or more)" in ran.out, ran.out + ran.err
    assert Mailing.objects.get().state == "stopped"
    with pytest.raises(NewsletterError, match="approved before"):
        mailings.approve(workspace.config, {"": a_rendered("2026-11-25-later")}, an_issue("2026-11-25-later"))


@pytest.mark.sqlite
def test_a_log_that_shows_fewer_than_had_left_is_not_believed(workspace: Workspace) -> None:
    mailing, sent = restored(workspace)
    log = log_of(workspace, now, sent[:4])
    ran = workspace.run("recover", "--postfix-log", str(log), "--yes")
    assert ran.exit == 0 and "lacks 1 mail that had surely left" in ran.out, ran.out + ran.err
    counts = mailings.status(mailing)
    assert (counts["accepted"], counts["pending"], counts["uncertain"]) == (4, 0, 2)


def failed(mailing: Mailing, people: int) -> None:
    """So many of those who wait were refused, and the mailing is over."""
    store = Store()
    try:
        outbox = Outbox(store, mailing, worker="test")
        rows, _ = outbox.lease(100)
        for number, row in enumerate(rows):
            begin(outbox, row)
            refused = {"code": 550, "text": "5.2.2 full"} if number < people else {"code": 250, "text": "Ok"}
            settle(outbox, row, "failed" if number < people else "accepted", **refused)
    finally:
        store.close()
    assert mailings.finish(mailing)


@pytest.mark.sqlite
def test_who_was_sent_to_once_more_after_the_copy_is_not_sent_to_a_third_time(workspace: Workspace) -> None:
    mailing = started(workspace)
    epoch.guard(workspace.config)
    failed(mailing, 2)
    kept = copy(workspace)
    assert again.missing(mailing) == 2
    send(mailing, 2)
    epoch.mark(workspace.config, mailing, 6)
    restore(workspace, kept)
    refused(workspace)
    with pytest.raises(NewsletterError, match="restored"):
        again.missing(mailing)
    refused(workspace)  # the refusal has not made a true database of the copy
    assert workspace.run("recover", "--yes").exit == 0
    mailing.refresh_from_db()
    counts = mailings.status(mailing)
    assert (counts["state"], counts["accepted"], counts["failed"], counts["uncertain"]) == ("sending", 4, 0, 2)
    assert laws.check(mailing) == []


@pytest.mark.sqlite
def test_who_had_failed_before_the_copy_and_was_not_sent_to_again_stays_failed(workspace: Workspace) -> None:
    mailing = started(workspace)
    epoch.guard(workspace.config)
    failed(mailing, 2)
    kept = copy(workspace)
    epoch.mark(workspace.config, mailing, 4)
    restore(workspace, kept)
    assert workspace.run("recover", "--yes").exit == 0
    assert mailings.status(mailing)["failed"] == 2
    assert again.missing(mailing) == 2


def an_answer(kind: str = "answer", once: str = "one") -> Notice:
    token = new_id()
    return notices.queue(kind, "sam@home.example", b"Subject: x\r\n\r\nx\r\n", once=once, token=token)


@pytest.mark.sqlite
def test_an_answer_that_left_after_the_copy_is_not_sent_again_by_it(workspace: Workspace) -> None:
    first, told = an_answer(), an_answer("staff", "two")
    kept = copy(workspace)
    assert notices.deliver(workspace.config) == 2
    restore(workspace, kept)
    assert notices.deliver(workspace.config) == 1  # to a colleague it rather comes twice than not at all
    told.refresh_from_db()
    later = an_answer(once="three")
    assert notices.deliver(workspace.config) == 1
    later.refresh_from_db()
    assert (told.state, later.state) == ("accepted", "accepted")
    assert "1 single mail waits" in chores.restored(workspace.config)
    ran = workspace.run("recover", "--yes")
    assert ran.exit == 0 and "1 answer or other single mail" in ran.out, ran.out + ran.err
    first.refresh_from_db()
    assert first.state == "uncertain" and notices.deliver(workspace.config) == 0
    assert chores.restored(workspace.config) == ""


@pytest.mark.sqlite
def test_the_log_tells_which_answers_had_left(workspace: Workspace) -> None:
    epoch.guard(workspace.config)
    first, second = an_answer(), an_answer(once="two")
    kept = copy(workspace)
    assert notices.deliver(workspace.config, [first.pk]) == 1
    restore(workspace, kept)
    log = log_of(workspace, now, [first])
    ran = workspace.run("recover", "--postfix-log", str(log), "--yes")
    assert ran.exit == 0, ran.out + ran.err
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("accepted", "pending")
    assert notices.deliver(workspace.config) == 1


def test_senders_chores_and_pages_that_look_and_mark_at_once_never_cry_wolf(workspace: Workspace) -> None:
    config = workspace.config

    def look(_: int) -> None:
        try:
            for _ in range(15):
                epoch.guard(config)
                assert epoch.mark_single(config) is None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(6)))
    last = epoch.last_mark(config)
    assert last and last.number == 90
    assert LedgerEpoch.objects.get().epoch == last.epoch


def test_a_call_for_help_is_sent_though_the_journal_cannot_be_written(workspace: Workspace) -> None:
    epoch.path(workspace.config).mkdir()
    an_answer("staff")
    assert notices.deliver(workspace.config) == 1


def test_pages_on_a_computer_without_the_journal_send_what_was_asked_for(workspace: Workspace) -> None:
    epoch.guard(workspace.config)
    epoch.path(workspace.config).unlink()
    an_answer("own")
    assert notices.deliver(workspace.config) == 1
    assert not epoch.path(workspace.config).exists()  # a lost journal stays lost until `recover`
