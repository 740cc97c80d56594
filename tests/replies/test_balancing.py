"""The balance, for each way in and for each day: every row adds up, and the rows add up to the whole."""

from __future__ import annotations

import json
from datetime import timedelta

from django.utils import timezone

from tests.replies.conftest import Post, mail


def some_of_everything(post: Post) -> None:
    from newsletter.replies import intake
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    intake.accept(mail(sent.reply), sent.reply, "a@b.example", "pipe")
    intake.accept(mail(sent.reply), sent.reply, "a@b.example", "lmtp")
    intake.accept(mail(sent.leave), sent.leave, "a@b.example", "lmtp")
    intake.accept(mail(sent.reply, Auto_Submitted="auto-replied"), sent.reply, "", "lmtp")
    intake.accept(b"\n\n", sent.reply, "", "imap", "inbox:INBOX:1:1")
    Raw.objects.filter(channel="imap").update(received=timezone.now() - timedelta(days=3))


def test_every_channel_and_every_day_adds_up(post: Post) -> None:
    from newsletter.replies import balancing

    some_of_everything(post)
    whole = balancing.count()
    assert whole["adds_up"]
    for what in ("channel", "day"):
        rows = balancing.by(what)
        for row in rows:
            assert row["received"] == sum(row[kind] for kind in balancing.COUNTED)
        for key in ("received", *balancing.COUNTED):
            assert sum(row[key] for row in rows) == whole[key]
    assert [row["channel"] for row in balancing.by("channel")] == ["imap", "lmtp", "pipe"]
    assert len(balancing.by("day")) == 2 and balancing.by("day")[0]["received"] == 4


def test_the_command_shows_it(post: Post) -> None:
    some_of_everything(post)
    ran = post.workspace.run("replies", "balance", "--by", "channel")
    assert ran.exit == 0 and "lmtp" in ran.out and "it adds up" in ran.out
    found = json.loads(post.workspace.run("replies", "balance", "--by", "day", "--json").out)
    assert len(found["by_day"]) == 2 and found["adds_up"]


def test_the_same_place_in_a_mailbox_is_one_arrival(post: Post) -> None:
    """A mailbox is looked into again after a crash, before the message was marked."""
    from newsletter import replies
    from newsletter.replies import intake

    sent = post.sent_to()
    for _ in range(3):
        verdict = intake.accept(mail(sent.reply), "", "a@b.example", "imap", "inbox:INBOX:17:4711")
        assert verdict.kind == "person"
    assert replies.balance()["received"] == 1
    assert intake.accept(mail(sent.reply), "", "a@b.example", "imap", "inbox:INBOX:18:1").kind == "duplicate"
    assert intake.accept(mail(sent.reply), "", "a@b.example", "imap", "inbox:INBOX:18:1").kind == "duplicate"
    assert replies.balance()["received"] == 2


def test_the_same_bytes_by_a_way_that_knew_the_recipient_and_one_that_did_not_are_one_message(post: Post) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    raw = mail(sent.reply, message_id="")
    assert intake.accept(raw, sent.reply, "a@b.example", "lmtp").kind == "person"
    assert intake.accept(raw, "", "a@b.example", "imap", "inbox:INBOX:1:1").kind == "duplicate"
